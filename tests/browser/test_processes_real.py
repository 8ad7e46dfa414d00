"""Active Processes over the real sidecar and the embedded bus.

What happens is published as a collector does, so that each test says exactly when what happens.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
import yaml
from playwright.sync_api import expect

from activity_center.bus import NOWHERE, open_writer
from activity_center.config_processes import BusConfig
from tests.browser.conftest import end, free_port, wait_for
from tests.browser.test_hostile import HIDDEN, SCRIPT
from tests.browser.test_processes import card, live
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocket

    from tests.browser.conftest import Window
    from tests.conftest import Node

NAMES: Final = ["Reserve address", "Create instance", "Harden firewall"]


class Desk:
    """A sidecar that can be killed and started again at the same address, and a bus beside it.

    Attributes:
        url: its address.
        organization: in which everything happens; the reader is its admin.
    """

    def __init__(self, folder: Path, opensearch: str) -> None:
        mark = uuid.uuid4().hex[:8]
        self.organization = f"northwind_{mark}"
        self._folder = folder
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        configuration = {
            "opensearch": {"url": opensearch},
            "organizations": {self.organization: {"name": "Northwind Labs"}},
            "bus": {"folder": str(folder / "steps")},
            "identity": {
                "development": f"mira_{mark}",
                "people": [
                    {
                        "id": f"mira_{mark}",
                        "full_name": "Mira Kovač",
                        "organizations": {self.organization: "admin"},
                    }
                ],
            },
            "sidecar": {
                "bind": f"127.0.0.1:{port}",
                "data_dir": str(folder / "data"),
                "rate_limit": {"requests": 100_000, "exports": 100},
            },
        }
        (folder / "activity-center.yml").write_text(yaml.safe_dump(configuration))
        self._writer = open_writer(BusConfig(folder=str(folder / "steps")), "browser-0")
        self._writer.begin("e1")
        self._place = ("e1", 0)
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the sidecar and wait until it answers."""
        file = str(self._folder / "activity-center.yml")
        code = "from activity_center.cli import main; main()"
        with (self._folder / "log").open("a") as log:
            command = [sys.executable, "-c", code, "serve", "--config", file]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self.url, self._process, self._folder / "log")

    def stop(self) -> None:
        """SIGKILL it."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def close(self) -> None:
        """End all."""
        self.stop()
        self._writer.close()

    def tell(self, *entries: dict[str, Any]) -> None:
        """Publish entries, as a collector does after it made them durable."""
        bodies = [(next(self._numbers), orjson.dumps(one)) for one in entries]
        self._place = self._writer.publish(self._place, bodies)
        assert self._place != NOWHERE

    def entry(self, id_: str, action: str, **fields: Any) -> dict[str, Any]:
        """An entry of a process."""
        number = next(self._numbers)
        now = datetime.now(UTC)
        lease = now + timedelta(minutes=10)
        process = {
            "id": id_,
            "name": f"Provision {id_}",
            "channel": "server-provisioning",
            "attempt": 1,
            "steps": NAMES,
            "controls": ["cancel"],
            "effects": {"cancel": "Deletes the half-made server"},
            "lease": _iso(lease),
            **fields.pop("process", {}),
        }
        return {
            "@timestamp": _iso(now),
            "event": {"id": uuid.uuid4().hex, "action": action, "sequence": number},
            "organization": {"id": self.organization, "name": "Northwind Labs"},
            "user": {"id": "usr_x", "full_name": fields.pop("who", "Jonas Osei")},
            "activity": {"lens": "process", "process": process, **fields.pop("activity", {})},
            **fields,
        }

    def step(self, id_: str, index: int, action: str, **fields: Any) -> dict[str, Any]:
        """An entry of a step."""
        row = {"id": f"s{index}", "name": NAMES[index], "index": index}
        row |= fields.pop("step", {})
        return self.entry(id_, f"process.step.{action}", activity={"step": row}, **fields)

    def progress(self, id_: str, share: float) -> None:
        """The process gets further."""
        self.tell(self.entry(id_, "process.progress", process={"progress": share}))

    def output(self, id_: str, offset: int, text: str) -> dict[str, Any]:
        """An entry with output of the first step."""
        said = {"stream": "stdout", "offset": offset, "text": text}
        step = {"id": "s0", "name": NAMES[0], "index": 0}
        return self.entry(id_, "process.output", activity={"step": step, "output": said})


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture(scope="module")
def running(calm_opensearch: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The desk of this module."""
    put_templates(calm_opensearch.client)
    made = Desk(tmp_path_factory.mktemp("desk"), calm_opensearch.cluster.url)
    made.start()
    yield made
    made.close()


@pytest.fixture
def desk(running: Desk) -> Desk:
    """A running sidecar."""
    return running


@pytest.fixture
def id_() -> str:
    """Of a process of this test's own."""
    return f"p-{uuid.uuid4().hex[:8]}"


def heard(page: Page) -> list[float]:
    """Collect what the page is told of progress: first by a snapshot, then by each delta."""
    told: list[float] = []

    def take(payload: str | bytes) -> None:
        message = json.loads(payload)
        for one in message.get("changes", []):
            if "progress" in one.get("process", {}):
                told.append(one["process"]["progress"])

    page.on("websocket", lambda socket: socket.on("framereceived", take))
    return told


def shows(page: Page, id_: str, share: float) -> None:
    """Wait until a card shows a progress."""
    bar = card(page, f"Provision {id_}").locator("progress")
    expect(bar).to_have_attribute("value", str(share), timeout=20_000)


def begun(desk: Desk, id_: str) -> None:
    """A process begins."""
    desk.tell(desk.entry(id_, "process.started"), desk.step(id_, 0, "started"))


def test_a_sidecar_killed_during_a_run(window: Window, desk: Desk, id_: str) -> None:
    """kill -9 and a new start: each step arrives exactly once, and the page says so."""
    told = heard(window.page)
    begun(desk, id_)
    page = window.open(f"{desk.url}/processes")
    live(page)
    told.clear()
    shares = [round(0.05 * number, 2) for number in range(1, 16)]
    for share in shares[:5]:
        desk.progress(id_, share)
    shows(page, id_, shares[4])
    desk.stop()
    expect(page.locator("#connection")).to_have_attribute("data-phase", "waiting")
    expect(card(page, f"Provision {id_}")).to_be_visible()
    for share in shares[5:10]:
        desk.progress(id_, share)
    desk.start()
    expect(page.locator("#connection")).to_contain_text("nothing missed", timeout=20_000)
    for share in shares[10:]:
        desk.progress(id_, share)
    shows(page, id_, shares[-1])
    assert told == shares
    desk.tell(desk.entry(id_, "process.completed"))
    expect(card(page, f"Provision {id_}")).to_contain_text("Done")
    window.wrong.clear()  # the browser reports each try to connect


@pytest.mark.parametrize(
    "seconds",
    [pytest.param(6, id="6s"), pytest.param(30, id="30s", marks=pytest.mark.slow)],
)
def test_the_network_is_lost_for_a_while(
    window: Window, desk: Desk, id_: str, seconds: int
) -> None:
    """What happened meanwhile comes afterwards, once, and the page says that nothing is missing.

    Six seconds are longer than a try to connect; thirty are several tries.
    """
    told = heard(window.page)
    begun(desk, id_)
    page = window.open(f"{desk.url}/processes")
    live(page)
    told.clear()
    shares = [round(0.02 * number, 2) for number in range(1, seconds + 1)]
    window.context.set_offline(True)
    expect(page.locator("#connection")).to_contain_text("what is shown is from before")
    for share in shares:
        desk.progress(id_, share)
        page.wait_for_timeout(1000)
    window.context.set_offline(False)
    shows(page, id_, shares[-1])
    expect(page.locator("#connection")).to_contain_text("nothing missed")
    assert told == shares
    window.wrong.clear()


def test_two_tabs(window: Window, desk: Desk, id_: str) -> None:
    """Both show the same, also when one came later, and what is asked for meanwhile; each
    by one connection."""
    sockets: list[WebSocket] = []
    window.page.on("websocket", lambda socket: sockets.append(socket))
    begun(desk, id_)
    first = window.open(f"{desk.url}/processes")
    live(first)
    desk.progress(id_, 0.25)
    second = window.context.new_page()
    second.on("websocket", lambda socket: sockets.append(socket))
    second.goto(f"{desk.url}/processes?channel=server-provisioning")
    for page in (first, second):
        shows(page, id_, 0.25)
    asked = {
        "id": f"ctl_{id_}",
        "kind": "cancel",
        "expires_at": _iso(datetime.now(UTC) + timedelta(minutes=1)),
    }
    desk.tell(desk.entry(id_, "process.cancel", who="Lena", activity={"control": asked}))
    for page in (first, second):
        here = card(page, f"Provision {id_}")
        expect(here.locator(".requests")).to_contain_text("asked by Lena")
    desk.tell(
        desk.step(id_, 0, "failed", error={"message": "no address left", "type": "Quota"}),
        desk.entry(id_, "process.failed", error={"message": "no address left"}),
    )
    for page in (first, second):
        expect(card(page, f"Provision {id_}").locator(".fault")).to_contain_text("no address left")
    assert len(sockets) == 2


def test_two_hundred_at_once(window: Window, desk: Desk) -> None:
    """200 processes, 3 steps each: every card ends as its process did."""
    mark = uuid.uuid4().hex[:6]
    ids = [f"many-{mark}-{number}" for number in range(200)]
    page = window.open(f"{desk.url}/processes")
    for one in ids:
        begun(desk, one)
    for index in range(3):
        for one in ids:
            desk.tell(desk.step(one, index, "started"), desk.step(one, index, "completed"))
    mine = f".process[aria-label^='Provision many-{mark}']"
    expect(page.locator(mine)).to_have_count(200, timeout=20_000)
    expect(page.locator(f"{mine} progress[value='1']")).to_have_count(200, timeout=20_000)
    for number, one in enumerate(ids):
        desk.tell(desk.entry(one, "process.failed" if number % 50 == 0 else "process.completed"))
    expect(page.locator(f"{mine} header .badge", has_text="Failed")).to_have_count(4)
    expect(page.locator(f"{mine} header .badge", has_text="Done")).to_have_count(196)


def test_a_step_with_ten_megabytes(window: Window, desk: Desk, id_: str) -> None:
    """The card shows the last lines, and the page stays as quick as before."""
    begun(desk, id_)
    page = window.open(f"{desk.url}/processes")
    live(page)
    lines = [f"{number:06d} {'x' * 72}\n" for number in range(131_072)]
    offset = 0
    for start in range(0, len(lines), 400):
        text = "".join(lines[start : start + 400])
        desk.tell(desk.output(id_, offset, text))
        offset += len(text)
    here = card(page, f"Provision {id_}")
    expect(here.locator(".tail")).to_contain_text("131071", timeout=30_000)
    desk.progress(id_, 0.5)
    shows(page, id_, 0.5)
    assert here.locator(".tail > div").count() == 3


@pytest.mark.parametrize("value", [SCRIPT, HIDDEN], ids=["script", "hidden"])
def test_hostile_text(window: Window, desk: Desk, id_: str, value: str) -> None:
    """What a sender can make is text on the page, through bus, fold and socket."""
    error = {"message": value, "type": value, "code": value, "stack_trace": value}
    thing = {"type": value, "id": value, "name": value, "url": f"javascript:{value}"}
    step = {"id": value, "name": value, "index": 0}
    said = {"stream": "stdout", "offset": 0, "text": value}
    process = {"name": value, "steps": [value], "effects": {"cancel": value}, "channel": value}
    desk.tell(
        desk.entry(id_, "process.started", process=process, who=value,
                   activity={"resource": thing, "project": value, "case": {"id": value}},
                   cloud={"account": {"id": value, "name": value}}),
        desk.entry(id_, "process.output", process=process, activity={"step": step, "output": said}),
        desk.entry(id_, "process.step.failed", process=process, activity={"step": step},
                   error=error),
    )  # fmt: skip
    page = window.open(f"{desk.url}/processes")
    live(page)
    link = page.locator(f"a[data-process='{id_}']")
    shown = "<img src=x onerror" if value is SCRIPT else "U+200B"
    expect(link).to_contain_text(shown)
    here = page.locator(".process", has=link)
    expect(here.locator(".fault")).to_contain_text(shown)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x], #page script, a[href^=javascript]").count() == 0
