"""The emitter: how a program says what was done, without ever waiting for the answer.

Importing it loads the standard library alone; an emitter loads what its address needs.
"""

from __future__ import annotations

from activity_center.emit.agent import Agent
from activity_center.emit.controls import Cancelled
from activity_center.emit.courier import Stats
from activity_center.emit.decision import Decision
from activity_center.emit.emitter import Emitter
from activity_center.emit.process import Process
from activity_center.emit.proposal import Proposal
from activity_center.emit.recording import Recording
from activity_center.errors import NotApproved, NotRecorded

__all__ = [
    "Agent",
    "Cancelled",
    "Decision",
    "Emitter",
    "NotApproved",
    "NotRecorded",
    "Process",
    "Proposal",
    "Recording",
    "Stats",
]
