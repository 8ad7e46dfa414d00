"""The emitter's peers, for agents of others' frameworks."""

from __future__ import annotations

from tests.activity_center.emit.conftest import (
    agent,
    asked,
    collector,
    emitter,
    forward,
    free_port,
    heard,
    sidecar,
    until,
)

__all__ = [
    "agent",
    "asked",
    "collector",
    "emitter",
    "forward",
    "free_port",
    "heard",
    "sidecar",
    "until",
]
