"""Long operations step by step: channels, the fold over their entries, and the deltas.

:func:`apply` folds activities into a :class:`Process`; what it returns is a :class:`Delta`, and
:func:`merge` is the one rule by which a client follows. All of it is free of I/O.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from activity_center.processes.attempt import BEGINS, ENDED_BY, ENDS, OPEN
from activity_center.processes.channels import Channel, channels
from activity_center.processes.delta import Delta, merge
from activity_center.processes.fold import Key, Process, apply, key_of, stalled
from activity_center.processes.requests import AUDITED

__all__ = [
    "AUDITED",
    "BEGINS",
    "ENDED_BY",
    "ENDS",
    "MESSAGES_SCHEMA",
    "OPEN",
    "Channel",
    "Delta",
    "Key",
    "Process",
    "apply",
    "channels",
    "key_of",
    "merge",
    "stalled",
]

MESSAGES_SCHEMA: Final = Path(__file__).with_name("messages.schema.json")
"""JSON Schema of the messages of the process stream."""
