"""Judging a chain: does what ran agree with what was approved, by whom, when and how.

A function over what is there: no clock, no store. What the entries prove is said; what would
rest on an entry that retention may have removed is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from activity_center.agents.approvals import Finding, against
from activity_center.agents.chain import Chain, Execution
from activity_center.agents.decision import Decision, counting
from activity_center.agents.difference import Difference, differences, drifted, secrets
from activity_center.agents.policy import Policies, Policy
from activity_center.processes.reading import EPOCH, MICROSECOND
from activity_center.vocabulary.files import read

FILE: Final = Path(__file__).with_name("verdicts.yml")
SKEW: Final = 5_000_000
"""Microseconds that an approval may seem to come after what it allowed: two machines' clocks."""
_SECOND: Final = 1_000_000
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said of a chain.

    Attributes:
        violation: something happened that the policy does not allow.
        explanation: what it means.
        what_to_do: the next step.
        cause: key of ``causes``, where these are the words for it; else empty.
        causes: the same verdict in the words for one cause of it.
    """

    key: str
    label: str
    violation: bool
    explanation: str
    what_to_do: str
    cause: str = ""
    causes: Mapping[str, Verdict] = field(default_factory=dict, repr=False)

    def by(self, cause: str) -> Verdict:
        """Return it in the words for a cause; empty: in its own."""
        return self.causes[cause] if cause else self


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of one chain.

    Attributes:
        verdict: the gravest of the findings, else what is no violation.
        findings: every violation, the gravest first.
        policy: it was judged by.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]
    policy: Policy

    @property
    def kinds(self) -> frozenset[str]:
        """The keys of all that is said: the verdict and each finding."""
        return frozenset((self.verdict.key, *(one.kind for one in self.findings)))

    def as_dict(self) -> dict[str, Any]:
        """Return it as the API has it."""
        said = self.verdict
        return {
            "verdict": said.key,
            "cause": said.cause or None,
            "label": said.label,
            "violation": said.violation,
            "explanation": said.explanation,
            "what_to_do": said.what_to_do,
            "findings": [
                {
                    "kind": one.kind,
                    "label": verdicts()[one.kind].by(one.cause).label,
                    "text": one.text,
                    "entries": list(one.entries),
                    **(
                        {"difference": [part.as_dict() for part in one.difference]}
                        if one.difference
                        else {}
                    ),
                }
                for one in self.findings
            ],
            "policy": self.policy.as_dict(),
        }


@cache
def verdicts() -> Mapping[str, Verdict]:
    """Return the verdicts by key, the gravest first.

    Raises:
        VocabularyError: the file cannot be read.
    """
    entries = read(FILE).document["verdicts"]
    return MappingProxyType({key: _verdict(key, **one) for key, one in entries.items()})


def _verdict(key: str, causes: Mapping[str, Any] | None = None, **own: Any) -> Verdict:
    plain = Verdict(key=key, **own)
    made = {name: replace(plain, cause=name, **said) for name, said in (causes or {}).items()}
    return replace(plain, causes=MappingProxyType(made))


def judge(
    chain: Chain,
    policies: Policies,
    *,
    now: datetime,
    kept_since: datetime | None = None,
    recorded: bool = True,
) -> Judgement:
    """Judge a chain.

    Args:
        now: an undecided proposal has expired if its time is over by then.
        kept_since: entries received before it may have been deleted; ``None``: none are.
        recorded: judge by the policy that the entries name, where it is known.
    """
    policy = policies.of(chain, recorded=recorded)
    deadline = deadline_of(chain, policy)
    found = list(_findings(chain, policy, deadline))
    unknown = _beginning_is_gone(chain, policy, kept_since)
    if unknown:
        # That no approval is there proves nothing.
        found = [one for one in found if one.kind != "executed_without_approval"]
    order = list(verdicts())
    unique = {(one.kind, one.text): one for one in found}
    findings = tuple(sorted(unique.values(), key=lambda one: order.index(one.kind)))
    if findings:
        key, cause = findings[0].kind, findings[0].cause
    else:
        key = (
            "unknown"
            if unknown
            else _peaceful(chain, policy, deadline, (now - EPOCH) // MICROSECOND)
        )
        cause = _why(key, chain, policy)
    return Judgement(verdicts()[key].by(cause), findings, policy)


def deadline_of(chain: Chain, policy: Policy) -> int | None:
    """Return when a proposal cannot be approved any more, microseconds since 1970."""
    ends = [chain.expires] if chain.expires is not None else []
    if chain.proposal and policy.within_s is not None:
        ends.append(chain.proposal.at + policy.within_s * _SECOND)
    return min(ends, default=None)


def has_gone_on(chain: Chain, policy: Policy) -> bool:
    """Return whether a proposal waits for nobody any more: it ran, or was decided.

    An authenticated approver decides, and so does who proposed it, where the policy asks for no
    proof; a no of theirs counts in any case. What another sender claims decides nothing here:
    else whoever may send could keep a proposal from its expiry.
    """
    if chain.executions:
        return True
    return any(
        one.authenticated
        or (one.own and not one.nameless and not (policy.authenticated and one.stage == "approved"))
        for one in chain.decisions
    )


def _beginning_is_gone(chain: Chain, policy: Policy, kept_since: datetime | None) -> bool:
    if chain.proposal is not None or kept_since is None:
        return False
    longest = (policy.within_s or _DAY) * _SECOND
    # By the time of receipt: else a run without approval is unknown as soon as it is backdated.
    times = (one.at if one.received is None else one.received for one in chain.entries)
    came = min(times, default=0)
    return came - longest < (kept_since - EPOCH) // MICROSECOND


def _peaceful(chain: Chain, policy: Policy, deadline: int | None, now: int) -> str:
    """What is no violation."""
    if chain.executions:
        if policy.approval and not all(_is_bound(one, chain) for one in chain.executions):
            return "not_bound"
        failed = chain.executions[-1].state == "failed"
        return "failed_as_approved" if failed else "executed_as_approved"
    if chain.decision is not None and not chain.decision.nameless:
        return chain.decision.stage
    return "expired" if deadline is not None and now >= deadline else "pending"


def _why(key: str, chain: Chain, policy: Policy) -> str:
    """The cause of what is no violation, or empty."""
    if not policy.approval:
        return "no_approval" if key == "pending" else ""
    if not policy.roles or "rights_untold" not in verdicts()[key].causes:
        return ""
    runs = chain.executions or (None,)
    return "rights_untold" if any(_is_untold(run, chain, policy) for run in runs) else ""


def _is_untold(run: Execution | None, chain: Chain, policy: Policy) -> bool:
    """Whether no approval of what ran tells that the approver had a role of the policy."""
    said = _in_force(chain.decisions, run) or ()
    if run is not None:
        said = [one for one in said if not _drift(*_bound(one, chain), run)]
    return all(one.by_person and policy.roles.isdisjoint(one.roles or ()) for one in said)


def _findings(chain: Chain, policy: Policy, deadline: int | None) -> Iterator[Finding]:
    if not chain.executions:
        said = _in_force(chain.decisions, None)
        if said and policy.approval:
            yield from _best(said, chain, policy, deadline)
        return
    for run in chain.executions:
        yield from _of_run(run, chain, policy, deadline)
    yield from _twice(chain, policy, deadline)


def _of_run(
    run: Execution, chain: Chain, policy: Policy, deadline: int | None
) -> Iterator[Finding]:
    said = _in_force(chain.decisions, run)
    if said is None or (policy.approval and not said):
        yield _without(run, chain)
        return
    bound = [_bound(one, chain) for one in said]
    if not bound and chain.proposal:
        bound = [(chain.proposal.digest, chain.proposal.content)]
    results = [_drift(digest, content, run) for digest, content in bound]
    if results and all(results):
        names = ", ".join(one.path for one in results[-1][:5])
        yield Finding(
            "parameters_drifted",
            f"What ran differs from what was {'approved' if said else 'proposed'}: {names}.",
            (*(one.entry for one in said[-1:]), *run.entries),
            tuple(results[-1]),
        )
        said = said[-1:]
    else:
        said = [one for one, drift in zip(said, results, strict=False) if not drift]
    if said and policy.approval:
        yield from _best(said, chain, policy, deadline)


def _in_force(decisions: Sequence[Decision], run: Execution | None) -> list[Decision] | None:
    """The approvals that hold when something runs; ``None``: the last word was no.

    An edited approval replaces those before it.
    """
    approvals: list[Decision] = []
    refused = False
    for one in heard(decisions, run.begun if run else None):
        refused = one.stage != "approved"
        kept = [] if one.outcome == "edited" else approvals
        approvals = [] if refused else [*kept, one]
    return None if refused else approvals


def heard(decisions: Sequence[Decision], begun: int | None) -> list[Decision]:
    """Return the decisions that counted when something began to run, in order.

    Args:
        begun: see :class:`~activity_center.agents.chain.Execution`; ``None``: nothing ran yet.
    """
    if begun is None:
        return counting(decisions)
    skew = {"approved": SKEW}
    return counting([one for one in decisions if one.at <= begun + skew.get(one.stage, 0)])


def _best(
    said: Sequence[Decision], chain: Chain, policy: Policy, deadline: int | None
) -> list[Finding]:
    """What speaks against the approvals: nothing, if one of them is sound."""
    found: list[Finding] = []
    for one in said:
        found = list(against(one, chain, policy, deadline))
        if not found:
            return []
    return found


def _without(run: Execution, chain: Chain) -> Finding:
    before = [one for one in chain.decisions if one.at <= run.begun + SKEW]
    counted = heard(chain.decisions, run.begun) or before
    last = counted[-1] if counted else None
    late = next((one for one in chain.decisions if one.stage == "approved"), None)
    if last is not None and last.nameless:
        text = "What approves it names neither a person nor a rule."
    elif last is not None:
        text = f"The last word before it ran was: {last.outcome}."
    elif late is not None:
        text = f"It ran {(late.at - run.begun) // _SECOND} s before it was approved."
    else:
        text = "No decision on it is there."
    evidence = [one.entry for one in (last or late,) if one is not None]
    return Finding("executed_without_approval", text, (*evidence, *run.entries))


def _bound(decision: Decision, chain: Chain) -> tuple[str, dict[str, Any]]:
    """Digest and content of what a decision approved: its own, else the proposal's."""
    proposal = chain.proposal
    silent = decision.arguments is None and decision.outcome != "edited"
    if silent and proposal and decision.digest in ("", proposal.digest):
        return proposal.digest, proposal.content
    return decision.digest, decision.content


def _is_bound(run: Execution, chain: Chain) -> bool:
    """Whether an approval can be compared with what ran, or neither tells any parameters."""
    for one in _in_force(chain.decisions, run) or ():
        digest, content = _bound(one, chain)
        allowed, ran = content["arguments"] is not None, run.arguments is not None
        silent = not (digest or allowed or run.digests or ran)
        comparable = drifted(digest, run.digests) is not None or (allowed and ran)
        if (silent or comparable) and not _drift(digest, content, run):
            return True
    return False


def _drift(digest: str, content: Mapping[str, Any], run: Execution) -> list[Difference]:
    """Where an execution differs from what was approved; empty: it does not."""
    by_digest = drifted(digest, run.digests)
    if by_digest is False:
        return []
    seen = next((found for one in run.contents if (found := differences(content, one))), [])
    if seen or by_digest is None:
        return seen
    return secrets(content, run.contents[0])


def _twice(chain: Chain, policy: Policy, deadline: int | None) -> Iterator[Finding]:
    if len(chain.executions) < 2 or not policy.approval:
        return
    last = max(chain.executions, key=lambda one: one.begun)
    approvals = [one for one in heard(chain.decisions, last.begun) if one.stage == "approved"]
    # What should not have been given pays for no further run.
    sound = [one for one in approvals if not any(against(one, chain, policy, deadline))]
    if not approvals or (policy.standing and any(one.lasting for one in sound)):
        return  # none: each is an execution without approval
    first = min(one.begun for one in chain.executions)
    fresh = [one for one in sound if one.at > first + SKEW]
    if len(chain.executions) > 1 + len(fresh):
        times = len(chain.executions)
        yield Finding(
            "executed_twice",
            f"It ran {times} times; {1 + len(fresh)} would have been allowed.",
            tuple(id_ for one in chain.executions for id_ in one.entries),
        )
