"""Measuring: speed (``python -m bench``) and faults (``python -m bench.faults``)."""
