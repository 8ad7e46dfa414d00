"""One demo a folder: a second one would take the tokens and ports of the first from under it."""

from __future__ import annotations

import fcntl
import http.client
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from activity_center.demo.process import read_mark, write_mark
from activity_center.errors import ActivityCenterError

LOCK: Final = "demo.pid"
"""``flock(2)`` of the demo that runs; holds its process."""
_ANSWERS_WITHIN: Final = 2.0


class AlreadyRunning(ActivityCenterError):
    """A demo runs in this folder.

    Args:
        folder: where it keeps configuration, logs and data.
        page: address of its page; empty while there is none.
        pids: processes to end; none where that cannot be told.
    """

    def __init__(self, folder: Path, page: str, pids: tuple[int, ...]) -> None:
        at = f": {page}" if page else ", without a page (it starts, or only checks)"
        numbers = " ".join(map(str, pids))
        ending = f"or kill {numbers}" if pids else f"or end what writes to {folder / 'data'}"
        super().__init__(
            f"a demo is already running{at}",
            where=str(folder),
            hint=f"stop it with Ctrl-C in its terminal, {ending};\n"
            "  or run another one beside it, with a folder of its own:"
            " set ACTIVITY_CENTER_STATE=/path/to/folder",
        )
        self.folder, self.page, self.pids = folder, page, pids

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of ``--json``."""
        return {
            "error": self.message,
            "folder": str(self.folder),
            "url": self.page or None,
            "pids": list(self.pids),
        }


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the one demo of ``folder`` for the time of a ``with``; make the folder.

    Raises:
        AlreadyRunning: another one is, or its collector is left; nothing was written.
    """
    from activity_center.node.folders import make_folder

    # What another release, or a demo that was killed, has left running holds no lock of ours.
    if any(_is_held(path) for path in (folder / LOCK, *folder.glob("data/worker-*/lock"))):
        raise _who(folder)
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _who(folder) from None
        write_mark(folder / LOCK, os.getpid())
        yield


def _is_held(lock: Path) -> bool:
    """Whether a process holds this lock; the file is not changed."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _who(folder: Path) -> AlreadyRunning:
    demo = read_mark(folder / LOCK)
    # A demo ends the others; those of one that was killed have to be ended each.
    others = [read_mark(folder / f"{name}.pid") for name in ("sidecar", "collector")]
    pids = (demo,) if demo else tuple(one for one in others if one)
    return AlreadyRunning(folder, _page(folder / "activity-center.yml"), pids)


def _page(config: Path) -> str:
    """Address of the page, if it answers: the file may be of an earlier demo."""
    import yaml

    try:
        page = f"http://{yaml.safe_load(config.read_bytes())['sidecar']['bind']}"
        with urllib.request.urlopen(f"{page}/readyz", timeout=_ANSWERS_WITHIN):  # noqa: S310
            return page
    except (OSError, http.client.HTTPException):  # somebody else's port by now
        return ""
    except (ValueError, KeyError, TypeError, yaml.YAMLError):
        return ""
