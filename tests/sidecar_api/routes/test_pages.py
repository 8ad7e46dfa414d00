"""The shell and the static files of the page."""

from __future__ import annotations

import gzip
import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import Final

import pytest
from flask import Flask
from flask.testing import FlaskClient

from activity_center.processes.channels import FILE as CHANNELS
from activity_center.vocabulary import verbs
from sidecar_api.routes import pages

WEB: Final = Path(str(files("sidecar_api"))) / "web"
LARGEST: Final = 100_000
"""Bytes of our own code, packed (the first paint of the shell)."""
PARTS: Final = {
    "card": "",
    "copying": "",
    "login": "",
    "processes": "",
    "proposals": "",
    "proposal-agents": "proposals",
    "proposal-case": "proposals",
    "proposal-dialog": "proposals",
    "proposal-oversight": "proposals",
    "saving": "",
}
"""Modules that are loaded when somebody looks at what they show, and by which other one."""


@pytest.fixture
def client() -> FlaskClient:
    """An application of the pages alone."""
    app = Flask("pages", static_folder=None)
    app.register_blueprint(pages.blueprint)
    return app.test_client()


@pytest.mark.parametrize(
    "path",
    ["/", "/audit", "/ai", "/login", "/organizations/northwind/activity-logs",
     "/processes", "/processes/prc_20", "/processes/a%2Fb", "/ai/entries", "/ai/oversight",
     "/proposals/prp_71", "/proposals/call:7", "/agents", "/agents/agt_ops", "/cases/case_4f2c"],
)  # fmt: skip
def test_each_view_is_the_same_shell(client: FlaskClient, path: str) -> None:
    """Every address of the page answers the shell, without asking who it is."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.data == (WEB / "index.html").read_bytes()


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    """The strict policy holds: no inline script or style, no address of another host."""
    shell = (WEB / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", shell)
    for file in [*WEB.glob("*.js"), *WEB.glob("styles/*.css"), WEB / "index.html"]:
        assert not re.search(r"https?://(?!www\.w3\.org/)\w", file.read_text()), file.name
        assert not re.search(r"\sstyle=\$?[\"{]", file.read_text()), file.name


def test_files_are_revalidated_and_packed(client: FlaskClient) -> None:
    """An ETag per encoding, 304 for who has it, gzip only for who takes it."""
    plain = client.get("/static/main.js")
    assert plain.headers["Cache-Control"] == "no-cache"
    assert plain.headers["Content-Type"] == "text/javascript; charset=utf-8"
    packed = client.get("/static/main.js", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["ETag"] != plain.headers["ETag"]
    again = client.get("/static/main.js", headers={"If-None-Match": plain.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    refused = client.get("/static/main.js", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


@pytest.mark.parametrize(
    "name",
    ["nothing.js", "index.html", "vendor/README.md", "vendor/lit-html/LICENSE", "../app.py",
     "..%2fapp.py", "%2e%2e/app.py", "styles/", ""],
)  # fmt: skip
def test_only_the_pages_own_files_are_served(client: FlaskClient, name: str) -> None:
    """No path leads out of the folder, and notes and licences are no part of the page."""
    assert client.get(f"/static/{name}").status_code == 404


def test_every_file_that_is_named_is_there(client: FlaskClient) -> None:
    """What the shell and the modules refer to exists."""
    named = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', (WEB / "index.html").read_text()))
    for module in WEB.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"|import "\./([^"]+)"', module.read_text()):
            named.add(f"/static/{name[0] or name[1]}")
    assert len(named) > 20
    assert [name for name in sorted(named) if client.get(name).status_code != 200] == []


def test_the_icons_that_are_named_are_those_in_the_set() -> None:
    """An icon without its drawing is an empty place; a drawing that nobody names is only weight."""
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (WEB / "vendor/lucide/icons.svg").read_text()))
    named = set(re.findall(r"^ +icon: (\S+)$", CHANNELS.read_text(), re.MULTILINE))
    quoted = set()
    for module in WEB.glob("*.js"):
        quoted |= set(re.findall(r'"([a-z0-9-]+)"', module.read_text()))
        named |= set(re.findall(r'\bicon\("([a-z0-9-]+)"', module.read_text()))
        if module.name == "icons.js":
            named |= set(
                re.findall(r'(?:[:,]|\[|\? |: |\?\? \[?)\s*"([a-z0-9-]+)"', module.read_text())
            )
    tones = {"good", "info", "warn", "bad", "agent", "calm"}
    assert named - tones - set(verbs()) - drawn == set()
    assert drawn - named - quoted == set()


@pytest.mark.parametrize("opened", ["", *PARTS])
def test_our_own_code_is_small(opened: str) -> None:
    """Less than 100 kB, packed: the shell's first paint, and with each part that it loads."""
    wanted = ["index.html", *_named("index.html", r'="/static/([^"]+\.(?:css|js))"')]
    while opened:
        wanted += [f"{opened}.js", *_named(f"{opened}.js", r'"/static/(styles/[^"]+)"')]
        opened = PARTS[opened]
    found: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in found and not name.startswith("vendor/"):
            found.add(name)
            wanted += _named(name, r'(?:from|import) "\./([^"]+)"')
    assert {"main.js", "frame.js", "styles/page.css"} <= found
    assert sum(len(gzip.compress((WEB / name).read_bytes())) for name in found) < LARGEST


def test_every_part_that_is_loaded_later_is_measured() -> None:
    """Nothing escapes the measure by being loaded afterwards."""
    lenses = (WEB / "place.js").read_text().split("const LENSES = ")[1].split(";")[0]
    loaded = set(re.findall(r': "(\w+)"', lenses))
    for module in WEB.glob("*.js"):
        loaded |= set(_named(module.name, r'import\([`"]\./([\w-]+)\.js[`"]\)'))
    assert loaded == {*PARTS}


def _named(name: str, pattern: str) -> list[str]:
    """What a file of the page names."""
    return re.findall(pattern, (WEB / name).read_text())


@pytest.mark.parametrize("folder", [WEB / "vendor", Path(__file__).parents[2] / "browser/vendor"])
def test_what_others_wrote_is_unchanged(folder: Path) -> None:
    """Every vendored file has the checksum that is written beside it, and its licence."""
    sums = dict(
        reversed(line.split(maxsplit=1))
        for line in (folder / "SHA256SUMS").read_text().splitlines()
    )
    found = {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file() and file.name not in ("SHA256SUMS", "README.md")
    }
    assert found == sums
    assert {name.split("/")[0] for name in sums} == {
        name.split("/")[0] for name in sums if name.endswith("/LICENSE")
    }
