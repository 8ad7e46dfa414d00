"""A browser, and the real sidecar over two weeks of the demo's workload.

Screenshots for people are made where ``$ACTIVITY_CENTER_SCREENSHOTS`` says a folder for them.
"""

from __future__ import annotations

import asyncio
import copy
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
import yaml
from opensearchpy.exceptions import RequestError

from activity_center.demo.workload import generate
from collector.mapping import Router, load_all
from collector.normalize import Normalizer
from collector.normalize.digest import Digests
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline, Stages
from collector.records import Batch, Entry, Reject, Sender
from collector.redact import Redactor
from tests.browser.axe import Axe
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from opensearchpy import OpenSearch
    from playwright.sync_api import Browser, Page

    from tests.conftest import Node

CHROMIUM: Final = Path("/usr/bin/chromium-headless-shell")
SCREENSHOTS: Final = os.environ.get("ACTIVITY_CENTER_SCREENSHOTS", "")
DAYS: Final = 14
WIDE, PHONE = (1440, 900), (390, 844)
LOOKS: Final = (
    pytest.param(WIDE, False, id="wide-light"),
    pytest.param(PHONE, True, id="phone-dark"),
    # Each size and each theme was seen by then; these are the other combinations of both.
    pytest.param(WIDE, True, id="wide-dark", marks=pytest.mark.slow),
    pytest.param(PHONE, False, id="phone-light", marks=pytest.mark.slow),
)
"""Size and theme of a window: ``@pytest.mark.parametrize(("size", "dark"), LOOKS)``."""

if not CHROMIUM.exists():
    collect_ignore_glob = ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out."""
    if not CHROMIUM.exists():
        terminalreporter.write_line(f"left out: tests/browser, for want of {CHROMIUM}")


class _Nowhere:
    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        raise AssertionError("nothing is made durable here")


def workload(mark: str, *, whole: bool = False) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (stream, id, document) of the demo's month, through the collector's stages.

    Args:
        mark: ends the ids of the organizations, so that they are this run's own.
        whole: also what has no organization, under one named ``none`` and the mark.
    """
    normalizer = Normalizer({}, {}, "permanent")
    stages = Stages(
        Router(load_all().values()), normalizer, Redactor(), Pseudonyms((), b""), Digests(b"")
    )
    pipeline = Pipeline(stages, _Nowhere())
    now = datetime.now(UTC)
    made = []
    for event in generate(7, now - timedelta(days=DAYS), days=DAYS):
        if event.time > now:
            continue
        received = int(event.time.timestamp() * 1e9)
        batch = Batch(Sender(event.sender), [event.record], None, event.source, event.tag, received)
        _, entries, rejects = pipeline.process(batch)
        assert not rejects, rejects
        for entry in entries:
            document = orjson.loads(entry.body)
            if "organization" not in document and not whole:
                continue
            document.setdefault("organization", {"id": "none"})["id"] += mark
            made.append((entry.stream, f"{mark}-{entry.id}"[:64], document))
    return made


def store(client: OpenSearch, made: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Store documents as the collector does, in streams that need not be there yet."""
    for stream in {stream for stream, _, _ in made}:
        try:
            client.indices.create_data_stream(name=stream)
        except RequestError as wrong:
            if wrong.error != "resource_already_exists_exception":
                raise
    for start in range(0, len(made), 1000):
        lines = []
        for stream, id_, document in made[start : start + 1000]:
            lines += [
                orjson.dumps({"create": {"_index": stream, "_id": id_}}),
                orjson.dumps(document),
            ]
        answer = client.bulk(body=b"\n".join(lines) + b"\n", params={"refresh": "true"})
        refused = [one["create"] for one in answer["items"] if one["create"].get("error")]
        assert not refused, refused[:3]


@dataclass
class Site:
    """A running sidecar.

    Attributes:
        url: its address.
        mark: what the ids of its organizations end with.
        activities: what is stored, newest first: (stream, id, document).
    """

    url: str
    mark: str
    client: OpenSearch
    activities: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    happened: int = 0

    @property
    def northwind(self) -> str:
        """Id of the organization that the reader audits."""
        return f"northwind{self.mark}"

    def api(self, path: str) -> dict[str, Any]:
        """Ask the API as the reader whom development mode takes everyone for."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=30) as answer:
            found = orjson.loads(answer.read())
        assert isinstance(found, dict)
        return found

    def happen(
        self, name: str, action: str = "", metadata: dict[str, Any] | None = None, size: int = 0
    ) -> str:
        """Let something happen now on a page, like what did but for what is named."""
        stream, _, pattern = next(
            one
            for one in self.activities
            if one[2]["event"]["action"] == "server.update" and one[2]["activity"]["origin"] == "ui"
        )
        document = copy.deepcopy(pattern)
        self.happened += 1  # no two in the same millisecond
        now = datetime.now(UTC) + timedelta(milliseconds=self.happened)
        text = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        document["@timestamp"] = document["event"]["ingested"] = text
        document["organization"] = {"id": self.northwind, "name": "Northwind Labs"}
        document["event"]["id"] = uuid.uuid4().hex
        document["activity"]["resource"]["name"] = name
        if action:
            document["event"]["action"] = action
        if metadata is not None:
            document["metadata"] = metadata
        if size:
            document["activity"]["size"] = size
        id_ = f"{self.mark}-{uuid.uuid4().hex[:20]}"
        store(self.client, [(stream, id_, document)])
        return id_


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def site(opensearch: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """``activity-center serve`` in development mode over two weeks of the workload.

    Everyone is Mira, who audits ``northwind`` and ``brightleaf``, until they sign in as Lena,
    a member of ``northwind``.
    """
    put_templates(opensearch.client)
    mark = f"_{uuid.uuid4().hex[:8]}"
    activities = workload(mark)
    store(opensearch.client, activities)
    activities.sort(key=lambda one: one[2]["@timestamp"], reverse=True)
    folder = tmp_path_factory.mktemp("sidecar")
    port = free_port()
    configuration = {
        "opensearch": {"url": opensearch.cluster.url},
        "organizations": {
            f"northwind{mark}": {"name": "Northwind Labs"},
            f"brightleaf{mark}": {"name": "Brightleaf Agency"},
            f"atlas_mobility{mark}": {"name": "Atlas Mobility"},
        },
        "identity": {
            "development": f"mira{mark}",
            "people": [
                {
                    "id": f"mira{mark}",
                    "full_name": "Mira Kovač",
                    "organizations": {f"northwind{mark}": "admin", f"brightleaf{mark}": "admin"},
                },
                {
                    "id": f"lena{mark}",
                    "full_name": "Lena Thiele",
                    "organizations": {f"northwind{mark}": "member"},
                },
            ],
        },
        "sidecar": {
            "bind": f"127.0.0.1:{port}",
            "data_dir": str(folder / "data"),
            "rate_limit": {"requests": 100_000, "exports": 100},
        },
    }
    file = folder / "activity-center.yml"
    file.write_text(yaml.safe_dump(configuration))
    log = (folder / "log").open("w")
    code = "from activity_center.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--config", str(file)]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, process, folder / "log")
        yield Site(url, mark, opensearch.client, activities)
    finally:
        end(process)
        log.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a sidecar and its workers: one that is told to end waits for the browser, which
    keeps its connections for as long as they may be silent."""
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    for worker in workers:  # it outlives its parent for a moment
        with suppress(ProcessLookupError):
            os.kill(int(worker), signal.SIGKILL)
    process.wait(30)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the sidecar answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=5).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium.

    Each module has its own: while Playwright's synchronous API is open, the worker's thread
    counts as one in which an event loop runs, and tests that come after it on that worker
    could not run theirs.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


class Window:
    """One window of a browser, which fails its test for what the page got wrong.

    Attributes:
        page: Playwright's page.
        wrong: errors of scripts and violations of the content security policy.
    """

    def __init__(self, browser: Browser, *, size: tuple[int, int], dark: bool, zone: str) -> None:
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            timezone_id=zone,
            locale="en-GB",
            permissions=["clipboard-read", "clipboard-write"],
            has_touch=size == PHONE,
            accept_downloads=True,
        )
        self.context.set_default_timeout(15_000)
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._console)

    def _console(self, message: Any) -> None:
        expected = "Failed to load resource" in message.text
        if message.type in ("error", "warning") and not expected:
            self.wrong.append(message.text)

    def open(self, url: str) -> Page:
        """Open an address and wait for what it shows."""
        self.page.goto(url)
        self.page.locator("main").wait_for()
        return self.page

    def shoot(self, name: str) -> None:
        """Keep a screenshot, where somebody wants them."""
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")

    def axe(self) -> list[str]:
        """Serious and critical findings of axe."""
        return Axe(self.page).findings()


class Windows:
    """Opens windows, and checks at the end that nothing went wrong in any."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._open: list[Window] = []

    def __call__(
        self, *, size: tuple[int, int] = WIDE, dark: bool = False, zone: str = "Europe/Berlin"
    ) -> Window:
        window = Window(self._browser, size=size, dark=dark, zone=zone)
        self._open.append(window)
        return window

    def close(self) -> None:
        """Close all."""
        for window in self._open:
            window.context.close()
        assert not [wrong for window in self._open for wrong in window.wrong]


@pytest.fixture
def windows(browser: Browser) -> Iterator[Windows]:
    """Make windows of this test's own."""
    made = Windows(browser)
    yield made
    made.close()


@pytest.fixture
def window(windows: Windows) -> Window:
    """A wide window."""
    return windows()
