"""The lease in the state index."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from activity_center.errors import ClusterError
from activity_center.setup import Desired, install
from activity_center.setup.lease import Lease

INDEX = "activity-center-state"


def test_one_at_a_time(empty: Any, few: Desired) -> None:
    """A second holder waits, says for whom, and gets it when the first lets go."""
    install(empty.client, few)
    told = threading.Event()
    order: list[str] = []

    def second() -> None:
        with Lease(empty.client, "x", index=INDEX, on_wait=lambda _text: told.set()):
            order.append("second")

    with Lease(empty.client, "x", index=INDEX):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(30)
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]


def test_waiting_has_an_end(empty: Any, few: Desired) -> None:
    """Who waits too long gives up with our error, which names the holder."""
    install(empty.client, few)
    with (
        Lease(empty.client, "x", index=INDEX),
        pytest.raises(ClusterError, match="process"),
        Lease(empty.client, "x", index=INDEX, wait=1.0),
    ):
        pass


def test_a_dead_holder_is_replaced_at_once(empty: Any, few: Desired) -> None:
    """A process of this machine that was killed does not keep anyone waiting."""
    install(empty.client, few)
    holder = (
        "import os, signal\n"
        "from activity_center.connection import connect\n"
        "from activity_center.config import Cluster\n"
        "from activity_center.setup.lease import Lease\n"
        f"Lease(connect(Cluster(url={empty.url!r})), 'x', index={INDEX!r}).__enter__()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", holder], check=False, timeout=60)
    assert empty.get(f"/{INDEX}/_doc/lease-x")["found"]
    waited: list[str] = []
    with Lease(empty.client, "x", index=INDEX, wait=5.0, on_wait=waited.append):
        assert waited == []


def test_a_lost_lease_is_noticed(empty: Any, few: Desired) -> None:
    """Who was taken for dead stops before its next change."""
    install(empty.client, few)
    with Lease(empty.client, "x", index=INDEX) as lease:
        lease.check()
        empty.put(f"/{INDEX}/_doc/lease-x", {"kind": "lease", "name": "x", "holder": "other"})
        with pytest.raises(ClusterError, match="lost"):
            while True:  # renewed every few seconds; the next renewal finds out
                lease.check()
                time.sleep(0.1)
    assert empty.get(f"/{INDEX}/_doc/lease-x")["_source"]["holder"] == "other"
