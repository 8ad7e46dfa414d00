"""Documentation is checked like code: links, examples, generated parts, tables of facts."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from activity_center import config
from activity_center.agents import shipped_policies

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    + [page for page in DOCS.rglob("*.md") if "_build" not in page.parts]
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]:\s*(\S+)", re.M)
FENCE = re.compile(r"^(```+)(\w*)\n(.*?)^\1$", re.M | re.S)
SECRETS = {
    "FORWARD_SHARED_KEY": "a-shared-key",
    "ACTIVITY_CENTER_SHARED_KEY": "a-shared-key",
    "CLUSTER_A_PASSWORD": "a-password",
    "RECORDING_TOKEN": "a-token",
}


def short(page: Path) -> str:
    """A path as a person writes it."""
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made the way GitHub and MyST make them."""
    found = set()
    for title in re.findall(r"^#+\s+(.+)$", prose(page), re.M):
        plain = re.sub(r"[^\w\- ]", "", title.strip().lower())
        found.add(plain.replace(" ", "-"))
    return found


def blocks(page: Path, language: str) -> Iterator[str]:
    """The code blocks of one language."""
    for _, name, body in FENCE.findall(page.read_text(encoding="utf-8")):
        if name == language:
            yield body


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file that exists, and an anchor names a heading in it."""
    dead = []
    for inline, reference in LINK.findall(prose(page)):
        target = inline or reference
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)
    assert dead == []


def test_every_page_can_be_reached() -> None:
    """Each page of docs/ is in a table of contents of the index, by name or by pattern."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    entries = [line for tree in blocks_of_toc(index) for line in tree if line and line[0] != ":"]
    for page in DOCS.rglob("*.md"):
        name = str(page.relative_to(DOCS).with_suffix(""))
        if name != "index" and "_build" not in page.parts:
            assert any(Path(name).match(entry) for entry in entries), f"{name} is in no toctree"


def blocks_of_toc(text: str) -> list[list[str]]:
    """The lines of each toctree."""
    return [body.splitlines() for body in re.findall(r"```\{toctree\}\n(.*?)```", text, re.S)]


def collector_examples() -> list[tuple[str, str]]:
    """Every example of our configuration file: (page, text)."""
    return [
        (short(page), body)
        for page in PAGES
        for body in blocks(page, "yaml")
        if body.startswith("# activity-center.yml")
    ]


@pytest.mark.parametrize(
    "example", collector_examples(), ids=[page for page, _ in collector_examples()]
)
def test_configuration_examples_are_valid(example: tuple[str, str], tmp_path: Path) -> None:
    """An example can be pasted: the collector's own reader accepts it, and it names people by
    the one claim that is an identifier (OpenID Connect Core, section 5.7)."""
    text = example[1]
    for name in re.findall(r"(\S+_file): ", text):
        text = re.sub(rf"{name}: \S+", f"{name}: {tmp_path / 'secret'}", text)
    (tmp_path / "secret").write_text("a-secret\n")
    file = tmp_path / "activity-center.yml"
    file.write_text(text)
    read = config.load(file, SECRETS)
    policies = len(read.approval_policies.all) > len(shipped_policies().all)
    assert read.senders or read.identity.people or policies
    assert read.identity.oidc is None or read.identity.oidc.claims.subject == "sub"


def test_there_are_examples() -> None:
    """The check above has something to check, on the pages where one would look."""
    pages = {page for page, _ in collector_examples()}
    assert {"docs/configuration.md", "docs/shippers/fluent-bit.md"} <= pages


@pytest.mark.parametrize("script", ["generate_cli", "generate_tables"])
def test_generated_pages_are_fresh(script: str) -> None:
    """What is written from the code is what the code says now: run the script when this fails.

    In a process of its own: commands that other tests have run remember their options.
    """
    found = run_script(DOCS / f"{script}.py", "--check")
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    ("script", "page"),
    [
        ("generate_cli", "cli.md"),
        ("generate_tables", "configuration.md"),
        ("generate_tables", "operations.md"),
        ("generate_tables", "api.md"),
        ("generate_tables", "alerts.md"),
        ("generate_tables", "verdicts.md"),
    ],
)
def test_a_stale_page_is_drift(script: str, page: str, tmp_path: Path) -> None:
    """``--check`` exits with 2 on a stale page and names the command; without it, it mends."""
    pages = ("alerts.md", "api.md", "cli.md", "configuration.md", "operations.md", "verdicts.md")
    for name in (f"{script}.py", *pages):
        (tmp_path / name).write_text((DOCS / name).read_text(encoding="utf-8"), encoding="utf-8")
    assert run_script(tmp_path / f"{script}.py").returncode == 0
    good = (tmp_path / page).read_text(encoding="utf-8")
    spoil(tmp_path / page)
    found = run_script(tmp_path / f"{script}.py", "--check")
    assert found.returncode == 2, found.stderr
    assert f"docs/{page} is stale: run python docs/{script}.py" in found.stderr
    assert run_script(tmp_path / f"{script}.py").returncode == 0
    assert (tmp_path / page).read_text(encoding="utf-8") == good


def spoil(page: Path) -> None:
    """Change one letter in what is generated."""
    text = page.read_text(encoding="utf-8")
    start = text.index("written by docs/" if "written by docs/" in text else "```text")
    place = text.index("a", text.index("\n|" if "\n|" in text[start:] else "```text", start))
    page.write_text(f"{text[:place]}@{text[place + 1 :]}", encoding="utf-8")


def run_script(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of a script of docs/."""
    return subprocess.run(
        [sys.executable, script, *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_help_has_an_example() -> None:
    """Each verb's help shows how it is typed, not only what its options are called."""
    without = []
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    for name, help_ in re.findall(r"^##+ ([^\n]+)\n\n```text\n(.*?)\n```", page, re.M | re.S):
        is_group = "\nCommands:\n" in help_
        _, _, below_usage = help_.partition("\n")
        if not is_group and name not in below_usage:
            without.append(name)
    assert without == []


def test_every_metric_is_in_the_docs() -> None:
    """Each metric that collector or sidecar exports has a row on the operations page, no other."""
    from collector import metrics
    from sidecar_api import metrics as sidecar_metrics

    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(activity_center_\w+)`", page, re.M))
    declared = (*metrics.METRICS, *sidecar_metrics.METRICS)
    assert named == {metric.name for metric in declared}


def test_no_exclamation_marks() -> None:
    """Plain words, sentence case, no exclamation marks."""
    loud = [
        f"{short(page)}: {line}"
        for page in PAGES
        for line in re.sub(r"`[^`]*`|<!--|!\[", "", prose(page)).splitlines()
        if "!" in line
    ]
    assert loud == []
