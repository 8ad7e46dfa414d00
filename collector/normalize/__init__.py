"""Normalize: a mapped activity becomes one document with identity, time and place."""

from collector.normalize.activity import Context, Normalizer
from collector.normalize.refused import Refused

__all__ = ["Context", "Normalizer", "Refused"]
