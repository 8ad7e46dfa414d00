"""AI Activity over the real sidecar and two weeks of the demo's agents."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.process_samples import iso
from tests.integration.process import TOKEN, Collector, until
from tests.integration.sidecar import Sidecar
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Window
    from tests.conftest import Node


def _is_as_proposed(one: dict[str, Any]) -> bool:
    """Whether it was approved and ran with the parameters that were proposed, and no others."""
    decided = {decision["outcome"] for decision in one["decisions"]}
    return decided == {"approved"} and one["judgement"]["verdict"] == "executed_as_approved"


def test_the_demo_is_read_on_every_page(window: Window, site: Site) -> None:
    """List, opened row, case and agent show what the API says of the same proposal."""
    listed = site.api("proposals")["proposals"]
    assert len(listed) == 25
    page = window.open(f"{site.url}/ai")
    expect(page.locator("li[data-chain]")).to_have_count(25)
    found = page.locator("li[data-chain]").evaluate_all(
        "all => all.map((one) => one.dataset.chain)"
    )
    assert set(found) == {one["id"] for one in listed}
    expect(page.locator(".number strong").first).not_to_be_empty()
    window.shoot("ai-real-wide-light")
    one = next(p for p in listed if p["case"] and p["executions"] and _is_as_proposed(p))
    row = page.locator(f'[data-chain="{one["id"]}"]')
    expect(row.locator(".headline .verdict")).to_have_text(one["judgement"]["label"])
    row.locator(".toggle-chain").click()
    expect(row.locator(".verdict-box")).to_contain_text(one["judgement"]["explanation"])
    expect(row.locator(".params tbody tr")).to_have_count(len(one["proposed"]["arguments"]))
    row.locator(".case").click()
    page.wait_for_url(f"**/cases/{one['case']}")
    story = site.api(f"cases/{one['case']}")
    expect(page.locator(".moment")).to_have_count(len(story["entries"]))
    window.shoot("ai-real-case-wide-light")
    page.locator(".facts .agent a").first.click()
    agent = site.api(f"agents/{one['agent']['id']}")
    expect(page.locator(".number strong").first).to_have_text(f"{agent['proposals']:,}")
    window.shoot("ai-real-agent-wide-light")


@pytest.mark.parametrize("path", ["ai?", "ai/oversight?", "processes?tab=history&"])
def test_a_time_that_there_is_not_is_no_filter(window: Window, site: Site, path: str) -> None:
    """A mistyped range shows nothing as if it were of that time; the right one is obeyed."""
    page = window.open(f"{site.url}/{path}range=1w")
    expect(page.get_by_role("alert")).to_contain_text("The filter When cannot be used like this")
    window.wrong.clear()


@pytest.mark.parametrize("verdict", ["denied", "expired", "executed_as_approved"])
def test_a_verdict_is_a_filter(window: Window, site: Site, verdict: str) -> None:
    """The page shows exactly the proposals of which the API says so."""
    answer = site.api(f"proposals?verdict={verdict}&size=25")
    page = window.open(f"{site.url}/ai?verdict={verdict}")
    expect(page.locator("li[data-chain]")).to_have_count(len(answer["proposals"]))
    labels = set(page.locator(".headline .verdict").all_inner_texts())
    assert labels == {one["judgement"]["label"] for one in answer["proposals"]}


def test_what_the_api_found_has_no_machines_time(window: Window, site: Site) -> None:
    """The text of the API has one; the page shows it as all other times."""
    (one, *_) = site.api("proposals?verdict=decided_after_expiry")["proposals"]
    stored = re.compile(r"\d{4}-\d\d-\d\dT")
    assert stored.search(one["judgement"]["findings"][0]["text"])
    page = window.open(f"{site.url}/ai?verdict=decided_after_expiry")
    told = page.locator(f'[data-chain="{one["id"]}"] .explained')
    expect(told).to_contain_text("It expired at")
    expect(told).not_to_contain_text(stored)


def test_oversight_is_that_of_the_api(window: Window, site: Site) -> None:
    """Each approver and impact of the demo has its row, with the numbers of the API."""
    found = site.api("oversight")["oversight"]
    assert len({one["approver"]["id"] for one in found}) > 1
    page = window.open(f"{site.url}/ai/oversight")
    expect(page.locator("#oversight tbody tr")).to_have_count(len(found))
    approvers = {one["approver"]["id"] for one in found}
    expect(page.locator("#oversight tbody")).to_have_count(len(approvers))
    decided = page.locator("#oversight .o-decided:not(th)").all_inner_texts()
    assert sorted(decided) == sorted(f"{one['decided']:,}" for one in found)
    window.shoot("ai-real-oversight-wide-light")
    link = page.locator("#oversight .o-impact a").first
    row = page.locator("#oversight tbody tr").first.locator(".o-decided").inner_text()
    link.click()
    page.wait_for_url("**/ai?*approver=*")
    expect(page.locator(".summary")).to_contain_text(f"{row} proposal")


def test_an_entry_opens_in_the_table(window: Window, site: Site) -> None:
    """From the story to the whole entry, by the id that its producer gave it."""
    one = next(p for p in site.api("proposals")["proposals"] if p["case"])
    page = window.open(f"{site.url}/cases/{one['case']}")
    page.get_by_role("link", name="Open the entry").first.click()
    expect(page.locator(".details")).to_be_visible()
    page.goto(f"{site.url}/ai/entries?case={one['case']}&open={one['proposed']['entry']}")
    expect(page.locator(".details")).to_be_visible()
    expect(page.locator(".agent-part")).to_contain_text("Proposed")


class Desk:
    """A collector, a sidecar that records through it, and one who is an admin.

    Attributes:
        url: of the page.
        organization: in which everything happens.
    """

    def __init__(self, folder: Path, node: Node) -> None:
        mark = uuid.uuid4().hex[:8]
        self.organization = f"northwind_{mark}"
        self.collector = Collector(folder / "collector", node.cluster)
        self.collector.document["senders"][0]["may_assert"] = ["approver"]
        self.collector.start()
        (folder / "token").write_text(TOKEN)
        (folder / "token").chmod(0o600)
        recording = {"url": self.collector.url, "token_file": str(folder / "token")}
        self.sidecar = Sidecar(folder / "sidecar", node.cluster, recording=recording)
        mira = {"id": f"mira_{mark}", "full_name": "Mira Kovač"}
        self.sidecar.document["organizations"] = {self.organization: {"name": "Northwind Labs"}}
        self.sidecar.document["identity"] = {
            "development": mira["id"],
            "people": [{**mira, "organizations": {self.organization: "admin"}}],
        }
        self.sidecar.start()
        self.url = self.sidecar.url

    def close(self) -> None:
        """End both."""
        self.sidecar.__exit__()
        self.collector.kill()

    def propose(self, id_: str) -> None:
        """An agent proposes something destructive, a minute ago."""
        entry = {
            "@timestamp": iso(60),
            "event": {"action": "agent.proposal.created", "id": f"e_{id_}"},
            "organization": {"id": self.organization, "name": "Northwind Labs"},
            "user": {"id": "usr_jo", "full_name": "Jonas Osei"},
            "gen_ai": {
                "agent": {"id": "agt_ops", "name": "ops-pilot"},
                "tool": {"name": "drop_table", "call": {"arguments": {"table": "old_logs"}}},
            },
            "activity": {
                "lens": "agent",
                "origin": "agent",
                "case": {"id": f"case_{id_}"},
                "impact": {"level": "destructive", "source": "operator"},
                "initiator": {"id": "usr_jo", "full_name": "Jonas Osei"},
                "proposal": {"id": id_, "stage": "proposed", "expires_at": iso(-600)},
                "resource": {"type": "database", "id": "db_1", "name": "shop_prod"},
            },
        }
        answer = requests.post(
            f"{self.collector.url}/v1/activities",
            json=entry,
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=30,
        )
        assert answer.ok, answer.text
        until(lambda: self.state(id_) == "proposed")

    def state(self, id_: str) -> str | None:
        """The state of a proposal, as the API has it."""
        answer = self.sidecar.get(f"/api/v1/proposals/{id_}", token="")
        return answer.json()["state"] if answer.ok else None


@pytest.fixture(scope="module")
def desk(opensearch: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The collector and the sidecar of this module."""
    put_templates(opensearch.client)
    made = Desk(tmp_path_factory.mktemp("desk"), opensearch)
    yield made
    made.close()


def test_a_yes_with_changes_binds_what_may_run(window: Window, desk: Desk) -> None:
    """The record has the changed parameters, beside those that were proposed."""
    id_ = f"prp_{uuid.uuid4().hex[:8]}"
    desk.propose(id_)
    page = window.open(f"{desk.url}/proposals/{id_}")
    page.get_by_role("button", name="Approve drop_table on shop_prod").click()
    dialog = page.get_by_role("dialog", name="Approve drop_table on shop_prod?")
    dialog.get_by_role("button", name="Change the parameters").click()
    dialog.get_by_label("Parameters as JSON").fill('{"table": "old_logs_2024"}')
    expect(dialog.get_by_role("status")).to_have_text("You change 1 parameter:")
    dialog.get_by_label("Type shop_prod to confirm").fill("shop_prod")
    dialog.get_by_role("button", name="Approve drop_table on shop_prod with changes").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".stations")).to_contain_text("Edited")
    answer = desk.sidecar.get(f"/api/v1/proposals/{id_}", token="").json()
    (decision,) = answer["decisions"]
    assert (decision["outcome"], decision["arguments"]) == ("edited", {"table": "old_logs_2024"})
    row = page.locator("table.params tbody tr")
    expect(row).to_contain_text("old_logs")
    expect(row).to_contain_text("old_logs_2024")


def test_a_decision_is_recorded_and_proven(window: Window, desk: Desk) -> None:
    """From the agent's proposal to the signed-in yes, to a file of evidence that is whole."""
    id_ = f"prp_{uuid.uuid4().hex[:8]}"
    page = window.open(f"{desk.url}/ai")
    expect(page.locator("#live")).to_have_text("Live")
    row = page.locator(f'[data-chain="{id_}"]')
    expect(row).to_have_count(0)
    desk.propose(id_)
    page.locator("#fresh").click()
    expect(row.locator(".headline .verdict")).to_have_text("Waiting for a decision")
    row.get_by_role("button", name="Approve drop_table on shop_prod").click()
    dialog = page.get_by_role("dialog", name="Approve drop_table on shop_prod?")
    expect(dialog).to_contain_text("old_logs")
    dialog.get_by_label("Type shop_prod to confirm").fill("shop_prod")
    dialog.get_by_label("Reason").fill("nothing reads it")
    dialog.get_by_role("button", name="Approve drop_table on shop_prod").click()
    expect(dialog).to_have_count(0)
    expect(row.locator(".headline .verdict")).to_have_text("Approved, not yet run")
    expect(row.locator(".stations")).to_contain_text("typed “shop_prod”")
    expect(row.locator(".stations")).to_contain_text("Mira Kovač, authenticated")
    assert desk.state(id_) == "approved"
    page.goto(f"{desk.url}/proposals/{id_}")
    with page.expect_download() as file:
        page.get_by_role("button", name="Evidence as NDJSON").click()
    text = file.value.path().read_text()
    assert id_ in text and "nothing reads it" in text
    expect(page.locator(".toast.done")).to_contain_text("Whole: 1 proposal")
