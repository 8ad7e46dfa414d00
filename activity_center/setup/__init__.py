"""Setting a cluster up and finding out what ails it.

::

    from activity_center.connection import connect
    from activity_center.setup import desired_state, diagnose, install, look

    client = connect()
    look(client, desired_state()).drift      # whether there is anything to do
    install(client, desired_state())         # safe to run twice
    diagnose(client, desired_state())        # findings, one after another

``desired`` (data -> what should be) and ``cluster`` (what is) meet in ``plan``, a function
over values that rests on ``compare``; ``apply`` carries it out under a ``lease``.
"""

from __future__ import annotations

from activity_center.setup.apply import Outcome, install, look, refuse
from activity_center.setup.desired import Desired, desired_state, desired_streams
from activity_center.setup.doctor import Finding, Level, diagnose
from activity_center.setup.steps import Action, Kind, Plan, Step

__all__ = [
    "Action",
    "Desired",
    "Finding",
    "Kind",
    "Level",
    "Outcome",
    "Plan",
    "Step",
    "desired_state",
    "desired_streams",
    "diagnose",
    "install",
    "look",
    "refuse",
]
