"""Index State Management (ISM): reading and putting policies, where the plugin answers.

Two things that ISM does not do by itself: a changed policy does not reach the indices that
it manages already (``change_policy`` does), and a new one takes no index that exists (``add``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from activity_center.policies import MARK
from activity_center.setup.cluster import FORBIDDEN, NO_HANDLER, NOT_FOUND, ask

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

ISM: Final = "/_plugins/_ism"
_AT_ONCE: Final = 40
"""Index names in one URL."""
_MOST: Final = 1000
_DEFAULT_RETRY: Final = {"count": 3, "backoff": "exponential", "delay": "1m"}
_BOOKKEEPING: Final = frozenset(
    {"policy_id", "last_updated_time", "schema_version", "error_notification", "user"}
)


@dataclass(frozen=True, slots=True)
class Installed:
    """A policy that ISM holds.

    Attributes:
        policy: its content, with what ISM adds.
        seq_no, primary_term: of its last change.
    """

    policy: Mapping[str, Any]
    seq_no: int
    primary_term: int

    @property
    def version(self) -> int | None:
        """Our version, if it is ours."""
        found = MARK.match(str(self.policy.get("description", "")))
        return int(found.group(1)) if found else None


@dataclass(frozen=True, slots=True)
class Managed:
    """What ISM says of an index.

    Attributes:
        policy: id of the policy that manages it, if one does.
        seq_no: of the policy's change that it follows; ``None``: not begun yet.
        state: the state it is in.
        failed: why it does not go on; empty: it does.
        since: when it came into that state, if ISM says so.
        stopped: ISM no longer looks at it, although the policy is not at its end.
    """

    policy: str | None
    seq_no: int | None = None
    state: str = ""
    failed: str = ""
    since: datetime | None = None
    stopped: bool = False


def is_there(client: OpenSearch) -> bool:
    """Whether ISM carries policies out here; also where this account may not look at them."""
    path = f"{ISM}/policies"
    return (
        ask(client, "GET", path, params={"size": 1}, allow=(*NO_HANDLER, FORBIDDEN)).status
        not in NO_HANDLER
    )


def read_policies(client: OpenSearch) -> dict[str, Installed] | None:
    """All policies by id; ``None`` where ISM does not answer or this account may not read them."""
    answer = ask(
        client, "GET", f"{ISM}/policies", params={"size": _MOST}, allow=(*NO_HANDLER, FORBIDDEN)
    )
    if not answer.ok:
        return None
    return {
        one["_id"]: Installed(one["policy"], one["_seq_no"], one["_primary_term"])
        for one in answer.body["policies"]
    }


def read_managed(client: OpenSearch, indices: Iterable[str]) -> dict[str, Managed]:
    """What ISM says of each of ``indices``."""
    found: dict[str, Managed] = {}
    names = sorted(indices)
    for some in _slices(names):
        body = ask(client, "GET", f"{ISM}/explain/{','.join(some)}").body
        found |= {name: _managed(body.get(name) or {}) for name in some}
    return found


def put_policy(client: OpenSearch, id_: str, body: Mapping[str, Any]) -> None:
    """Create a policy, or replace the one that is there now."""
    there = ask(client, "GET", f"{ISM}/policies/{id_}", allow=(NOT_FOUND,))
    condition = {}
    if there.ok:
        condition = {
            "if_seq_no": there.body["_seq_no"],
            "if_primary_term": there.body["_primary_term"],
        }
    ask(client, "PUT", f"{ISM}/policies/{id_}", params=condition, body=body)


def attach(client: OpenSearch, id_: str, indices: Iterable[str]) -> list[str]:
    """Give indices the policy as it is now; return what went wrong, in words.

    Those without a policy get it; those on an older version of it are moved to it. What
    somebody gave another policy keeps that.
    """
    current = (read_policies(client) or {}).get(id_)
    managed = read_managed(client, indices)
    new, old = sort_out(managed, id_, current.seq_no if current else None)
    notes = []
    for verb, names in (("add", new), ("change_policy", old)):
        for some in _slices(names):
            path = f"{ISM}/{verb}/{','.join(some)}"
            body = ask(client, "POST", path, body={"policy_id": id_}).body
            notes += [
                f"{one.get('index_name')}: {verb} {id_}: {one.get('reason')}"
                for one in body.get("failed_indices", ())
            ]
    return notes


def sort_out(
    managed: Mapping[str, Managed], id_: str, seq_no: int | None
) -> tuple[list[str], list[str]]:
    """The indices without any policy, and those on an older version of ``id_``."""
    new = [name for name, one in managed.items() if one.policy is None]
    old = [
        name
        for name, one in managed.items()
        if one.policy == id_ and one.seq_no is not None and one.seq_no != seq_no
    ]
    return new, old


def canonical_policy(policy: Mapping[str, Any]) -> Any:
    """A policy without what ISM adds to it: times, defaults, nulls."""
    kept = {key: value for key, value in policy.items() if key not in _BOOKKEEPING}
    return _plain(kept)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _plain(child)
            for key, child in value.items()
            if child is not None
            and child is not False
            and key != "last_updated_time"
            and not (key == "retry" and child == _DEFAULT_RETRY)
            and not (key == "conditions" and not child)
        }
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def _managed(body: Mapping[str, Any]) -> Managed:
    policy = body.get("policy_id") or body.get("index.plugins.index_state_management.policy_id")
    action = body.get("action") or {}
    step = body.get("step") or {}
    failed = ""
    if action.get("failed") or step.get("step_status") == "failed":
        info = body.get("info") or {}
        failed = str(info.get("message") or info.get("cause") or "failed")
    state = body.get("state") or {}
    began = state.get("start_time")
    since = datetime.fromtimestamp(began / 1000, UTC) if isinstance(began, int) else None
    name = str(state.get("name") or "")
    # ISM disables its job for an index also where the policy has come to its end.
    stopped = body.get("enabled") is False and body.get("policy_completed") is not True
    return Managed(policy, body.get("policy_seq_no"), name, failed, since, stopped)


def _slices(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]
