"""What charts show of entries that were made by hand, each number counted by hand."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from activity_center.cli.demo_remains import pipeline
from activity_center.dashboards import PREFIX
from collector.records import Batch, Sender
from tests.browser.conftest import store
from tests.dashboards.conftest import Demo
from tests.dashboards.drawing import KNOWN, drawn, totals
from tests.dashboards.searching import clause
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.conftest import Node

Json = dict[str, Any]
Stored = Callable[..., Demo]

NONE = "__missing__"
MIRA = {"id": "usr_mk", "name": "mira", "full_name": "Mira K", "email": "mira@n.example"}
BY_NAME = {"name": "jonas"}
"""As a cluster's audit log knows people."""
BY_ID = {"id": "usr_jo"}
"""As a program that gives an id alone."""
BY_EMAIL = {"email": "kim@n.example"}
WHO = {
    "mira": ("mira", "usr_mk", "mira@n.example"),
    "name": ("jonas", NONE, NONE),
    "id": (NONE, "usr_jo", NONE),
    "email": (NONE, NONE, "kim@n.example"),
}


def one(action: str, user: Json | None = None, outcome: str = "", **more: Any) -> Json:
    """A record as a producer sends it; without an outcome where it does not say it."""
    event = {"action": action, "id": uuid.uuid4().hex, **({"outcome": outcome} if outcome else {})}
    return {"event": event, **({"user": user} if user else {}), **more}


@pytest.fixture(scope="module")
def stored(opensearch: Node) -> Stored:
    """Store records, by the collector's stages, for an organization of their own."""
    put_templates(opensearch.client)

    def keep(records: Sequence[Json], *others: Sequence[Json]) -> Demo:
        mark = f"numbers_{uuid.uuid4().hex}"
        noon = datetime.now(UTC).replace(hour=13, minute=0) - timedelta(days=1)
        ids, told = [], []
        for number, part in enumerate((records, *others)):
            ids.append(f"{mark}_{number}")
            told += [
                {"@timestamp": noon.isoformat(), "organization": {"id": ids[-1]}, **record}
                for record in part
            ]
        received = int(datetime.now(UTC).timestamp() * 1e9)
        batch = Batch(Sender("producer"), told, None, "native", "", received)
        _, entries, rejects = pipeline().process(batch)
        assert not rejects
        store(
            opensearch.client,
            [
                (entry.stream, f"{mark}-{entry.id}"[:96], orjson.loads(entry.body))
                for entry in entries
            ],
        )
        return Demo(opensearch.client, opensearch.cluster, mark, ids)

    return keep


def found_by(demo: Demo, query: str) -> list[str]:
    """The actions of what a saved query finds."""
    title = KNOWN["index-pattern", f"{PREFIX}activities"]["attributes"]["title"]
    wanted = clause(KNOWN["query", f"{PREFIX}{query}"]["attributes"]["query"], title)
    hits = demo.search(title, [wanted], size=50)["hits"]["hits"]
    return sorted(hit["_source"]["event"]["action"] for hit in hits)


def test_logins_are_logins(stored: Stored) -> None:
    """Logouts, passwords and second factors are no logins, whether they failed or not; whoever
    is known by a name, an id or an address alone is listed."""
    address = {"source": {"ip": "203.0.113.9"}}
    demo = stored(
        [
            one("user.login", MIRA, "success"),
            one("user.break_glass", MIRA, "success"),
            one("opensearch.login", BY_NAME, "success"),
            one("user.login", MIRA),
            one("user.login", BY_ID, "failure", **address),
            *(one("user.login_failed", BY_EMAIL, **address) for _ in range(2)),
            one("opensearch.login_failed", BY_NAME),
            *(one("user.logout", MIRA, "success") for _ in range(4)),
            *(one("user.change_password", MIRA, "failure", **address) for _ in range(3)),
            one("user.mfa_enabled", MIRA, "success"),
        ]
    )
    assert totals(demo, "security-logins") == {"success": 3, "failure": 4, "unknown": 1}
    assert drawn(demo, "security-failed-logins") == {(): 4}
    tried = {WHO["id"]: 1, WHO["email"]: 2, WHO["name"]: 1}
    assert drawn(demo, "security-attacked") == tried
    assert drawn(demo, "security-addresses") == {("203.0.113.9",): 3}
    assert found_by(demo, "failed-logins") == [
        "opensearch.login_failed",
        "user.login",
        *["user.login_failed"] * 2,
    ]


def test_permissions_and_tokens_that_were_given(stored: Stored) -> None:
    """What failed gave nobody anything; what does not say how it ended counts."""
    demo = stored(
        [
            one("user.role_change", MIRA, "success"),
            *(one("kubernetes.rbac_change", BY_NAME) for _ in range(3)),
            *(one("api_token.create", BY_ID) for _ in range(2)),
            one("ssh_key.add", BY_EMAIL, "success"),
            one("kubernetes.token_create", BY_NAME, "success"),
            one("user.role_change", MIRA, "failure"),
            one("api_token.create", MIRA, "failure"),
            one("site.create", MIRA, "success"),
        ]
    )
    tokens = {
        (*WHO["id"], "api_token.create"): 2,
        (*WHO["email"], "ssh_key.add"): 1,
        (*WHO["name"], "kubernetes.token_create"): 1,
    }
    changes = {(*WHO["mira"], "user.role_change"): 1, (*WHO["name"], "kubernetes.rbac_change"): 3}
    assert drawn(demo, "security-tokens") == tokens
    assert drawn(demo, "security-granters") == changes | tokens
    assert drawn(demo, "security-permissions") == {
        ("user.role_change",): 1,
        ("kubernetes.rbac_change",): 3,
        ("api_token.create",): 2,
        ("ssh_key.add",): 1,
        ("kubernetes.token_create",): 1,
    }
    given = ["api_token.create"] * 2 + ["kubernetes.token_create", "ssh_key.add"]
    assert found_by(demo, "new-tokens") == given
    changed = [*given, *["kubernetes.rbac_change"] * 3, "user.role_change"]
    assert found_by(demo, "permission-changes") == sorted(changed)


def test_critical_actions_and_refusals(stored: Stored) -> None:
    """A critical action that failed or was refused was not taken; a refusal is another chart's."""
    demo = stored(
        [
            one("user.break_glass", BY_NAME, "success"),
            *(one("workspace.terminate", MIRA) for _ in range(2)),
            one("workspace.terminate", MIRA, "failure"),
            one("site.delete", MIRA, "success"),
            *(one("activity_log.denied", BY_ID) for _ in range(2)),
            one("activity_log.denied", BY_EMAIL),
        ]
    )
    assert drawn(demo, "security-critical") == {(): 3}
    assert drawn(demo, "security-critical-actions") == {
        ("workspace.terminate",): 2,
        ("user.break_glass",): 1,
    }
    assert drawn(demo, "security-denied") == {(): 3}
    assert drawn(demo, "security-refused") == {
        (*WHO["id"], "activity_log.denied"): 2,
        (*WHO["email"], "activity_log.denied"): 1,
    }


def exported(count: int | None = None) -> Json:
    """An export's entry as the sidecar writes it where it begins, or ends with its count."""
    told = {"stage": "begun"} if count is None else {"stage": "ended", "count": count}
    return one("activity_log.export", MIRA, "success", metadata={"format": "csv", **told})


def test_an_export_counts_where_it_ended(stored: Stored) -> None:
    """Two exports are two, not the four entries that they leave; one over two organizations is
    in the trail of each. Who was refused, or saved a view, read nothing."""
    demo = stored(
        [
            *(exported(), exported(412), exported(), exported(7), exported(), exported(9)),
            *(one("activity_log.fetch_all", BY_ID, "success") for _ in range(2)),
            one("activity_log.fetch", BY_NAME, "success"),
            one("activity_log.denied", BY_ID),
            one("activity_log.view_save", BY_ID, "success"),
        ],
        [exported(), exported(9)],
    )
    assert drawn(demo, "compliance-exports") == {(): 4}
    for chart in ("compliance-readers", "audit-trail-readers"):
        assert drawn(demo, chart) == {
            (*WHO["mira"], "activity_log.export"): 4,
            (*WHO["id"], "activity_log.fetch_all"): 2,
            (*WHO["name"], "activity_log.fetch"): 1,
        }


def test_what_was_done_and_by_whom(stored: Stored) -> None:
    """Changes count unless they failed; everyone who did something is listed, and what nobody is
    named for; the platform's users are counted by their ids."""
    demo = stored(
        [
            *(one("site.delete", BY_ID) for _ in range(2)),
            *(one("kubernetes.delete", BY_NAME, "success") for _ in range(3)),
            one("site.delete", MIRA, "failure"),
            one("site.create", MIRA),
            one("site.update", BY_EMAIL, "success"),
            one("site.update", outcome="failure"),
        ]
    )
    assert drawn(demo, "audit-trail-deleters") == {
        (*WHO["id"], "site.delete"): 2,
        (*WHO["name"], "kubernetes.delete"): 3,
    }
    assert totals(demo, "audit-trail-verbs") == {"Created": 1, "Changed": 1, "Deleted": 5}
    assert sum(drawn(demo, "audit-trail-types").values()) == 7
    assert found_by(demo, "deletions") == ["kubernetes.delete"] * 3 + ["site.delete"] * 2
    (mine,) = demo.organizations
    assert drawn(demo, "overview-actors") == {
        (*WHO["mira"], mine): 2,
        (*WHO["id"], mine): 2,
        (*WHO["name"], mine): 3,
        (*WHO["email"], mine): 1,
        (NONE, NONE, NONE, mine): 1,
    }
    assert drawn(demo, "overview-people") == {(): 2}
    assert drawn(demo, "overview-failures") == {(): 2}
    assert drawn(demo, "overview-activities") == {(): 9}


def step(proposal: str, what: str, tool: str, impact: str = "", **ours: Any) -> Json:
    """An entry of a proposal's chain; its stage follows from the action."""
    told: Json = {"proposal": {"id": proposal}, **ours}
    if impact:
        told["impact"] = {"level": impact}
    model = {"request": {"model": "model-a"}} if what == "created" else {}
    agent = {"agent": {"name": "Ops Pilot"}, "tool": {"name": tool}, **model}
    return one(f"agent.proposal.{what}", activity=told, gen_ai=agent)


def decided(proposal: str, outcome: str, tool: str, impact: str = "", **more: Any) -> Json:
    """A decision: by a person unless it says otherwise."""
    by = {"approver": more.pop("approver")} if "approver" in more else {}
    decision = {"outcome": outcome, "source": "user", **more}
    return step(proposal, outcome, tool, impact, decision=decision, **by)


@pytest.fixture(scope="module")
def chains(stored: Stored) -> Demo:
    """Seven chains: three approved, of which two fail; one denied; two that nobody was asked
    about, of which one was never proposed; one that expired."""
    run, restart = "run_command", "restart_service"
    minute = 60_000
    return stored(
        [
            step("p1", "created", run, "destructive"),
            decided("p1", "approved", run, "destructive", approver=MIRA, wait_ms=minute),
            step("p1", "executing", run, "destructive"),
            step("p1", "executed", run, "destructive"),
            step("p1", "completed", run, "destructive"),
            step("p2", "created", run, "destructive"),
            decided("p2", "approved", run, "destructive", approver=MIRA, wait_ms=2 * minute),
            step("p2", "executing", run, "destructive"),
            step("p2", "failed", run, "destructive"),
            step("p3", "created", restart, "caution"),
            decided("p3", "denied", restart, "caution", approver=BY_ID, wait_ms=3 * minute),
            step("p4", "created", restart, "safe"),
            decided("p4", "auto_approved", restart, "safe", source="policy", wait_ms=1),
            step("p4", "executing", restart, "safe"),
            step("p4", "completed", restart, "safe"),
            step("p5", "created", restart, "caution"),
            decided("p5", "expired", restart, "caution", source="timeout", wait_ms=900 * minute),
            decided("p6", "auto_approved", "Bash", source="config"),
            step("p7", "created", run, "destructive"),
            decided("p7", "edited", run, "destructive", approver=BY_EMAIL, wait_ms=4 * minute),
            step("p7", "executing", run, "destructive"),
            step("p7", "failed", run, "destructive"),
            step("p7", "failed", run, "destructive"),
        ]
    )


def test_the_funnel_counts_proposals(chains: Demo) -> None:
    """Each proposal counts once in each stage that it reached, however many entries say so."""
    assert drawn(chains, "ai-activity-funnel") == {
        ("1 Proposed",): 6,
        ("2 Approved",): 5,
        ("3 Executing",): 4,
        ("4 Completed",): 2,
        ("5 Failed",): 2,
        ("6 Denied",): 1,
        ("7 Expired",): 1,
    }
    assert drawn(chains, "ai-activity-failures") == {("run_command",): 2}


def test_decisions_and_who_makes_them(chains: Demo) -> None:
    """Decisions by outcome; who decides is a person, known by a name, an id or an address."""
    outcomes = {"approved": 2, "denied": 1, "edited": 1, "auto_approved": 2, "expired": 1}
    assert drawn(chains, "ai-activity-decisions") == {(name,): n for name, n in outcomes.items()}
    assert totals(chains, "ai-activity-approval-rate") == outcomes
    assert drawn(chains, "ai-activity-deciders") == {
        (*WHO["mira"], "approved"): 2,
        (*WHO["id"], "denied"): 1,
        (*WHO["email"], "edited"): 1,
    }


def test_the_time_to_decision_is_peoples(chains: Demo) -> None:
    """Of 1, 2, 3 and 4 minutes, 95 of 100 take up to 4; neither what was approved at once by a
    rule nor what nobody decided counts."""
    (longest,) = drawn(chains, "ai-activity-wait").values()
    assert 180_000 < longest <= 240_000


def test_impact_and_tools_of_what_was_proposed(chains: Demo) -> None:
    """A proposal counts once by its impact, whatever follows from it."""
    assert drawn(chains, "ai-activity-impact") == {
        ("destructive",): 3,
        ("caution",): 2,
        ("safe",): 1,
    }
    assert drawn(chains, "ai-activity-tools") == {
        ("run_command", "destructive"): 3,
        ("restart_service", "caution"): 2,
        ("restart_service", "safe"): 1,
    }
    assert drawn(chains, "ai-activity-models") == {
        ("Ops Pilot", "model-a"): 6,
        ("Ops Pilot", NONE): 17,
    }


def test_what_was_let_pass_without_a_policy_too(stored: Stored) -> None:
    """What a setting or a hook let pass is listed beside what a policy did."""
    policy = {"policy": {"id": "pol_1", "version": "2"}}
    by_policy = {"decision": {"outcome": "auto_approved", "source": "policy"}, **policy}
    demo = stored(
        [
            step("p1", "auto_approved", "restart_service", **by_policy),
            *(decided(f"b{n}", "auto_approved", "Bash", source="config") for n in range(3)),
            decided("b4", "auto_approved", "Bash", source="hook"),
            decided("b5", "approved", "Bash", approver=MIRA),
        ]
    )
    assert drawn(demo, "ai-activity-unasked") == {
        ("restart_service", "policy", "pol_1"): 1,
        ("Bash", "config", NONE): 3,
        ("Bash", "hook", NONE): 1,
    }
