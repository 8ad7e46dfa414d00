"""The emitter: how a program says what was done, without ever waiting for the answer.

Loads the standard library alone (fluent-logger when the first event is sent over Forward).
"""

from __future__ import annotations

from activity_center.emit.courier import Stats
from activity_center.emit.emitter import Emitter
from activity_center.emit.recording import Recording
from activity_center.emit.transport import NotRecorded

__all__ = ["Emitter", "NotRecorded", "Recording", "Stats"]
