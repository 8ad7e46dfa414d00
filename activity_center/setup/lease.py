"""One at a time, by a document in the state index.

The document is replaced only against the sequence number last seen (``if_seq_no``), so
of two who try at once one succeeds. Nobody compares clocks of two machines: a lease has
run out when its document has stayed as it is for :data:`EXPIRY` seconds of the waiting
one's own monotonic clock, or when its holder was a process of this machine and is dead.
"""

from __future__ import annotations

import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from activity_center.errors import ClusterError
from activity_center.node.process import Process, identify, is_alive
from activity_center.setup.cluster import CONFLICT, NOT_FOUND, ask

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

UNAVAILABLE: Final = 503
EXPIRY: Final = 20.0
"""Seconds without renewal after which a lease may be taken over."""
RENEWAL: Final = 5.0
"""Seconds between two renewals."""
_POLL: Final = 0.5


class Lease:
    """A context manager that holds the lease ``name`` and renews it.

    Args:
        index: the state index; must exist.
        wait: seconds to wait for another holder.
        poll: seconds between two looks at it.
        on_wait: is told once who holds it, in words.

    Raises:
        ClusterError: on entry, if another one holds it for longer than ``wait``.
    """

    def __init__(
        self,
        client: OpenSearch,
        name: str,
        *,
        index: str,
        wait: float = 120.0,
        poll: float = _POLL,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self._client = client
        self._path = f"/{index}/_doc/lease-{name}"
        self._name = name
        self._wait = wait
        self._poll = poll
        self._on_wait = on_wait
        self._holder = secrets.token_hex(8)
        self._version: dict[str, Any] = {}
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._renewing = threading.Lock()
        self._confirmed = 0.0  # monotonic: when the last renewal that was confirmed was sent
        self._renewer = threading.Thread(target=self._renew, name=f"lease-{name}", daemon=True)

    def __enter__(self) -> Self:
        self._acquire()
        self._renewer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._renewer.join()
        if self._lost.is_set():
            return
        try:
            ask(
                self._client,
                "DELETE",
                self._path,
                params=self._version,
                allow=(NOT_FOUND, CONFLICT),
            )
        except ClusterError:
            return  # it runs out by itself

    def check(self) -> None:
        """Raise if the lease was lost; called before each change.

        It asks OpenSearch only where the last renewal is so old that another one may have
        taken over: a process that was stopped finds out here, before its renewer runs again.

        Raises:
            ClusterError: another one has taken over, or it could not be renewed.
        """
        if self._lost.is_set():
            raise self._gone()
        if time.monotonic() - self._confirmed > EXPIRY - RENEWAL:
            self.confirm()

    def confirm(self) -> None:
        """Renew the lease now; called right before what cannot be taken back.

        Raises:
            ClusterError: another one has taken over, or it could not be renewed.
        """
        if self._lost.is_set() or not self._renewed():
            raise self._gone()
        if time.monotonic() - self._confirmed > EXPIRY - RENEWAL:
            # Stopped between the question and here: the answer is of no worth any more.
            raise ClusterError(
                f"the lease {self._name!r} could not be renewed in time",
                hint="run it again; what is done stays done",
            )

    def _gone(self) -> ClusterError:
        return ClusterError(
            f"the lease {self._name!r} was lost to another one, who goes on",
            hint="run it again; what is done stays done",
        )

    def _acquire(self) -> None:
        deadline = time.monotonic() + self._wait
        seen: tuple[Any, Any] | None = None
        since = time.monotonic()
        told = False
        while True:
            answer = ask(self._client, "GET", self._path, allow=(NOT_FOUND, UNAVAILABLE))
            if answer.status == UNAVAILABLE and time.monotonic() < deadline:
                time.sleep(_POLL)  # the index was made a moment ago, its shard is starting
                continue
            if not answer.ok or not answer.body.get("found"):
                if self._put({"op_type": "create"}):
                    return
                continue
            version = (answer.body["_seq_no"], answer.body["_primary_term"])
            holder = answer.body["_source"]
            if version != seen:
                seen, since = version, time.monotonic()
            if _is_dead(holder) or time.monotonic() - since > EXPIRY:
                if self._put({"if_seq_no": version[0], "if_primary_term": version[1]}):
                    return
                continue
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"{_words(holder)} has been at it for {self._wait:.0f} s",
                    where=self._path,
                    hint="wait for it, then run this again",
                )
            if not told and self._on_wait:
                self._on_wait(f"{_words(holder)} is at work; waiting for it")
                told = True
            time.sleep(self._poll)

    def _put(self, condition: Mapping[str, Any]) -> bool:
        me = identify(os.getpid())
        asked = time.monotonic()  # others count from when it is written, which is later
        answer = ask(
            self._client,
            "PUT",
            self._path,
            params=dict(condition),
            body={
                "kind": "lease",
                "name": self._name,
                "holder": self._holder,
                "place": _place(),
                "pid": os.getpid(),
                "renewed": datetime.now(UTC).isoformat(),
                "data": {"host": platform.node(), "started": me.started if me else ""},
            },
            allow=(CONFLICT,),
        )
        if answer.ok:
            self._version = {
                "if_seq_no": answer.body["_seq_no"],
                "if_primary_term": answer.body["_primary_term"],
            }
            self._confirmed = asked
        return answer.ok

    def _renewed(self) -> bool:
        """Renew the lease, unless another one has it; then it is lost for good."""
        with self._renewing:
            if self._put(self._version) or (self._still_ours() and self._put(self._version)):
                return True
            self._lost.set()
            return False

    def _still_ours(self) -> bool:
        """Whether a renewal whose answer never came was written after all."""
        answer = ask(self._client, "GET", self._path, allow=(NOT_FOUND,))
        if not answer.ok or answer.body["_source"].get("holder") != self._holder:
            return False
        self._version = {
            "if_seq_no": answer.body["_seq_no"],
            "if_primary_term": answer.body["_primary_term"],
        }
        return True

    def _renew(self) -> None:
        while not self._stop.wait(RENEWAL):
            try:
                if not self._renewed():
                    return
            except ClusterError:
                # A busy cluster: tried again, until others may think us dead.
                if time.monotonic() - self._confirmed > EXPIRY - RENEWAL:
                    self._lost.set()
                    return


def _place() -> str:
    """Where process numbers mean the same: this boot and this PID namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _is_dead(holder: Mapping[str, Any]) -> bool:
    """Whether the holder was a process of this machine that is no more."""
    place, pid = holder.get("place"), holder.get("pid")
    started = (holder.get("data") or {}).get("started")
    if not (place and place == _place() and started and isinstance(pid, int)):
        return False
    return not is_alive(Process(pid, str(started)))


def _words(holder: Mapping[str, Any]) -> str:
    host = (holder.get("data") or {}).get("host", "an unknown machine")
    return f"another {holder.get('name', 'run')} (process {holder.get('pid')} on {host})"
