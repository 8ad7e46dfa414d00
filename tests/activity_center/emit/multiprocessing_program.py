"""A program for test_process: its children emit and end at once."""

from __future__ import annotations

import multiprocessing
import sys

from activity_center import Emitter


def work(url: str) -> None:
    """Emit, and leave it to the exit to send."""
    emitter = Emitter(url)
    for _ in range(100):
        emitter.emit("a.b")


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=work, args=(sys.argv[2],)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        if child.exitcode:
            sys.exit("a child failed")
