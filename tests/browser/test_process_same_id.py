"""Two organizations that use the same id for a process, over the real sidecar."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from playwright.sync_api import expect

from tests.browser.test_processes_real import Desk
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.browser.conftest import Window

STEPS: Final = {"steps": ["Build", "Switch over"]}


def test_each_card_opens_its_own(window: Window, calm_opensearch: Any, tmp_path: Path) -> None:
    """Its page, history, replay and output are of the organization whose card it was."""
    put_templates(calm_opensearch.client)
    desk = Desk(tmp_path, calm_opensearch.cluster.url)
    file = tmp_path / "activity-center.yml"
    document = yaml.safe_load(file.read_text())
    second = f"{desk.organization}_two"
    document["organizations"][second] = {"name": "Umbrella"}
    document["identity"]["people"][0]["organizations"][second] = "admin"
    file.write_text(yaml.safe_dump(document))
    desk.start()
    try:
        first = desk.entry(
            "deploy-1", "process.started", process={"name": "Deploy of Northwind", **STEPS}
        )
        other = desk.entry(
            "deploy-1", "process.started", process={"name": "Deploy of Umbrella", **STEPS}
        )
        other["organization"] = {"id": second, "name": "Umbrella"}
        desk.tell(first, other)
        page = window.open(f"{desk.url}/processes")
        for name in ("Deploy of Umbrella", "Deploy of Northwind"):
            page.goto(f"{desk.url}/processes")
            page.get_by_role("link", name=name).first.click()
            expect(page.locator("h1")).to_have_text(name)
            page.reload()
            expect(page.locator("h1")).to_have_text(name)
            expect(page.locator("#failure")).to_have_count(0)
            page.locator("#output-step").select_option(label="Build")
            expect(page).to_have_url(re.compile(r"organization=northwind_\w+&step="))
            expect(page.locator("h1")).to_have_text(name)
            expect(page.locator("#failure")).to_have_count(0)
        page.goto("about:blank")
    finally:
        desk.stop()
