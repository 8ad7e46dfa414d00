"""A program that is killed in the middle of its work: nobody tells the end of its process.

``python -m activity_center.demo.live.upload URL PROCESS`` with the token in the environment.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Final

from activity_center.demo.live.act import Act
from activity_center.demo.live.plays import PLAYS
from activity_center.demo.workload.cast import organizations
from activity_center.demo.workload.dice import Dice
from activity_center.emit import Emitter

TOKEN: Final = "ACTIVITY_CENTER_DEMO_TOKEN"  # noqa: S105 - a name
LEASE: Final = 6.0


def main(url: str, pace: float) -> None:
    """Play the transfer until it kills itself; print the id of the process first."""
    (play,) = (one for one in PLAYS if one.silent)
    emitter = Emitter(url, token=os.environ[TOKEN], service="uploader")
    parts = 0

    def pause(seconds: float) -> bool:
        nonlocal parts
        parts += 1
        time.sleep(seconds * pace)
        if parts > len(play.lines[0]) + 2:
            emitter.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    act = Act(emitter, play, organizations(Dice("demo"), 3)[play.organization], pause, lease=LEASE)
    print(act.process.id, flush=True)
    act.run()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
