"""Applying a plan, one step after another; every step can be made twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from activity_center.errors import ClusterError
from activity_center.setup import ism, monitors
from activity_center.setup.cluster import BAD_REQUEST, FORBIDDEN, ask, read_cluster, read_streams
from activity_center.setup.lease import Lease
from activity_center.setup.plan import make_plan, stream_differences
from activity_center.setup.steps import Action, Kind, Plan, Step

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.setup.desired import Desired

LEASE: Final = "install"
SLOW: Final = 90.0
"""Seconds for the answer to a new index: OpenSearch waits 30 for its first shard."""
_EXISTS: Final = "resource_already_exists_exception"

OnStep = Callable[[Step, int, int], None]
"""(step about to be made, its number from 1, number of steps)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an installation.

    Attributes:
        plan: the plan that was carried out (made again once the lease was held).
        notes: what did not go as planned and does no harm, in words.
    """

    plan: Plan
    notes: tuple[str, ...] = ()


def look(client: OpenSearch, desired: Desired, *, adopt: bool = False) -> Plan:
    """Read the cluster and make the plan; changes nothing.

    Raises:
        ClusterError: no answer, an unusable server, or a right is missing.
    """

    def try_out(name: str, body: Mapping[str, Any]) -> str:
        answer = ask(
            client,
            "POST",
            f"/_index_template/_simulate/{name}",
            body=body,
            allow=(BAD_REQUEST, FORBIDDEN),
        )
        return answer.why if answer.status == BAD_REQUEST else ""

    return make_plan(desired, read_cluster(client, desired), adopt=adopt, try_out=try_out)


def install(
    client: OpenSearch,
    desired: Desired,
    *,
    adopt: bool = False,
    on_step: OnStep | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Outcome:
    """Bring the cluster to the desired state. Safe to run twice, also at once.

    Args:
        on_step: is told each step before it is made.
        on_wait: is told, in words, for whom this waits.

    Raises:
        ClusterError: the plan holds a refusal (then nothing was changed), or a step
            failed (then what is done stays, and the next run goes on from there).
    """
    plan = look(client, desired, adopt=adopt)
    refuse(plan)
    if not plan.drift:
        return Outcome(plan)
    # The lease lives in the state index, so that one comes first.
    first = [step for step in plan.steps if step.kind is Kind.STATE_INDEX]
    for step in first:
        if step.action in (Action.CREATE, Action.CHANGE):
            _make(client, step)
    with Lease(client, LEASE, index=desired.state_index, on_wait=on_wait) as lease:
        rest = look(client, desired, adopt=adopt)
        refuse(rest)
        plan = Plan((*first, *(step for step in rest.steps if step.kind is not Kind.STATE_INDEX)))
        steps = plan.of(Action.CREATE, Action.CHANGE)
        notes: list[str] = []
        for number, step in enumerate(steps, 1):
            lease.check()
            if on_step:
                on_step(step, number, len(steps))
            if step.kind is not Kind.STATE_INDEX:
                notes += _make(client, step)
        notes += _remaining(client, desired, steps)
    return Outcome(plan, tuple(notes))


def refuse(plan: Plan) -> None:
    """Stop on a plan that cannot be carried out.

    Raises:
        ClusterError: with every refusal, and what to do about it.
    """
    if not plan.refused:
        return
    lines = [f"{step.kind} {step.name}: {step.reason}" for step in plan.refused]
    raise ClusterError("nothing was changed, since\n  " + "\n  ".join(lines))


def _make(client: OpenSearch, step: Step) -> list[str]:
    """Carry out one step; return notes."""
    if step.kind is Kind.COMPONENT:
        ask(client, "PUT", f"/_component_template/{step.name}", body=step.body)
    elif step.kind is Kind.TEMPLATE:
        ask(client, "PUT", f"/_index_template/{step.name}", body=step.body)
    elif step.kind is Kind.REPOSITORY:
        ask(client, "PUT", f"/_snapshot/{step.name}", body=step.body)
    elif step.kind is Kind.POLICY:
        ism.put_policy(client, step.name, step.body)
    elif step.kind is Kind.MANAGED:
        return ism.attach(client, step.name, step.body)
    elif step.kind is Kind.MONITOR:
        monitors.put_monitor(client, step)
    elif step.kind is Kind.ROLE:
        ask(client, "PUT", f"/_plugins/_security/api/roles/{step.name}", body=step.body)
    elif step.kind is Kind.STATE_INDEX and step.action is Action.CHANGE:
        ask(client, "PUT", f"/{step.name}/_mapping", body=step.body["mappings"])
    elif step.kind is Kind.STATE_INDEX:
        _create(client, f"/{step.name}", step.body)
    elif step.kind is Kind.STREAM and step.action is Action.CHANGE:
        ask(client, "POST", f"/{step.name}/_rollover", timeout=SLOW)
    elif step.kind is Kind.STREAM:
        _create(client, f"/_data_stream/{step.name}", None)
    else:
        answer = ask(client, "PUT", "/_cluster/settings", body=step.body, allow=(FORBIDDEN,))
        if not answer.ok:
            return [f"{step.name}: this account may not set it; it stays as it is"]
    return []


def _create(client: OpenSearch, path: str, body: Any) -> None:
    """Create; that another one was faster is as good."""
    answer = ask(client, "PUT", path, body=body, allow=(BAD_REQUEST,), timeout=SLOW)
    if answer.ok:
        return
    error = answer.body.get("error", {}) if isinstance(answer.body, Mapping) else {}
    if not (isinstance(error, Mapping) and error.get("type") == _EXISTS):
        raise ClusterError(f"OpenSearch refused: {answer.why}", where=f"PUT {path}")


def _remaining(client: OpenSearch, desired: Desired, steps: tuple[Step, ...]) -> list[str]:
    """Streams that differ from their template even after rolling over, in words."""
    names = {step.name for step in steps if step.kind is Kind.STREAM}
    if not names:
        return []
    streams = read_streams(client)
    return [
        f"{name}: the new write index still differs at {found[0].path}; "
        "does another template or a default of the cluster decide?"
        for name in sorted(names & streams.keys())
        if (found := stream_differences(name, desired, streams[name]))
    ]
