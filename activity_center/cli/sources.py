"""``activity-center sources``: how records of other programs become activities."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

if TYPE_CHECKING:
    from collector.mapping import Source

_AFTER_ALL_SAMPLES: Final = 1_798_761_600_000_000_000
"""2027-01-01: a time of an event that lies ahead of the receipt would be replaced by it."""

_json_option = click.option("--json", "as_json", is_flag=True, help="For scripts.")
_dir_option = click.option(
    "--sources-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of mappings of your own; one of the same name replaces a shipped one.",
)


def _load(folder: Path | None) -> dict[str, Source]:
    from collector.mapping import load_all

    return load_all(folder)


def _one(sources: dict[str, Source], name: str) -> Source:
    if name not in sources:
        raise click.BadParameter(
            f"no source is named {name!r} (known: {', '.join(sorted(sources))})"
        )
    return sources[name]


@click.group()
def command() -> None:
    """List, show, test and try source mappings.

    A mapping says in YAML how the records of one source become activities;
    docs/sources.md explains how to write one.

    \b
    Examples:
      activity-center sources list
      activity-center sources show kubernetes-audit
      activity-center sources test
      activity-center sources try native events.ndjson
      activity-center sources test mine --sources-dir ./sources --update
    """


@command.command("list")
@_dir_option
@_json_option
def list_(sources_dir: Path | None, as_json: bool) -> None:
    """List the source mappings.

    \b
    Examples:
      activity-center sources list
      activity-center sources list --json | jq -r '.[].name'
    """
    sources = sorted(_load(sources_dir).values(), key=lambda one: one.name)
    if as_json:
        click.echo(json.dumps([_summary(one) for one in sources], ensure_ascii=False, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("Name", "Version", "Title", "Tags"):
        table.add_column(heading, overflow="fold")
    for one in sources:
        table.add_row(one.name, str(one.version), one.title, ", ".join(one.tags))
    Console().print(table)


@command.command()
@click.argument("name")
@_dir_option
@_json_option
def show(name: str, sources_dir: Path | None, as_json: bool) -> None:
    """Show the mapping NAME: where it applies and what becomes what.

    \b
    Examples:
      activity-center sources show kubernetes-audit
      activity-center sources show opensearch-security --json | jq .fields
    """
    source = _one(_load(sources_dir), name)
    if as_json:
        click.echo(json.dumps(source.document, ensure_ascii=False, indent=1))
        return
    document = source.document
    click.echo(f"{source.title} ({source.name}, version {source.version})\n")
    click.echo(click.wrap_text(source.description, 88, "  ", "  "))
    for label, value in (
        ("Reference", source.reference),
        ("Tags", ", ".join(source.tags)),
        ("Test", _words(document.get("match", {}).get("when"))),
        ("Records in", _words(document.get("records"))),
        ("Takes", "every field of the vocabulary" if source.takes_vocabulary else ""),
        ("Folder", str(source.folder)),
    ):
        if value:
            click.echo(f"\n{label + ':':12}{value}", nl=False)
    click.echo()
    _section("Ignored", {one["reason"]: one["when"] for one in document.get("ignore", ())})
    for key, title in (("drop", "Never stored"), ("redact", "Redacted")):
        entries = [one if isinstance(one, dict) else {"path": one} for one in document.get(key, ())]
        _section(title, {one["path"]: one.get("when") for one in entries})
    _section("Named values", document.get("let", {}))
    _section("Fields", document.get("fields", {}))
    for number, one in enumerate(document.get("activities", ()), 1):
        head = {key: _words(one[key]) for key in ("when", "each", "where") if key in one}
        title = f"Activity {number}" + "".join(f", {key} {text}" for key, text in head.items())
        _section(title, one["fields"])


@command.command()
@click.argument("name", required=False)
@_dir_option
@click.option("--update", is_flag=True, help="Write expected/ from what the mappings give now.")
@_json_option
def test(name: str | None, sources_dir: Path | None, update: bool, as_json: bool) -> None:
    """Check mappings against their samples: of NAME, or of all.

    Compares the documents that the samples become with those under expected/, less
    event.ingested and event.hash, and names the rules that no sample reaches.

    \b
    Examples:
      activity-center sources test
      activity-center sources test kubernetes-audit
      activity-center sources test mine --sources-dir ./sources --update

    Exit codes: 0 all as expected, 1 something differs.
    """
    from collector.mapping import check_samples, unreached
    from collector.preview import Preview

    sources = _load(sources_dir)
    preview = Preview(sources.values())

    def finish(source: Source, record: dict[str, Any]) -> dict[str, Any]:
        return preview.documents(record, source=source.name, received=_received())

    chosen = [_one(sources, name)] if name else [sources[key] for key in sorted(sources)]
    report = []
    for source in chosen:
        results = check_samples(source, finish=finish, update=update)
        report.append(
            {
                "source": source.name,
                "passed": all(one.passed for one in results),
                "unreached": unreached(source, results),
                "samples": [
                    {
                        "sample": one.sample.name,
                        "records": one.records,
                        "passed": one.passed,
                        "difference": one.difference,
                    }
                    for one in results
                ],
            }
        )
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        _print_report(report, update)
    if not all(one["passed"] for one in report):
        sys.exit(1)


@command.command("try")
@click.argument("name")
@click.argument("file", type=click.File("rb"), default="-")
@_dir_option
@_json_option
def try_(name: str, file: BinaryIO, sources_dir: Path | None, as_json: bool) -> None:
    """Map NDJSON from FILE (default: standard input) with NAME; print one document a line.

    The documents are those that the collector would store, with an empty configuration.
    Records that are ignored or rejected, and lines that are no JSON, are told on standard
    error; with --json they come in line as {"line": 3, "ignored": "..."}, {"line": 3,
    "rejected": {...}} or {"line": 3, "error": "..."}.

    \b
    Examples:
      activity-center sources try native events.ndjson
      tail -n 20 /var/log/kubernetes/audit.log | activity-center sources try kubernetes-audit
      activity-center sources try mine sample.ndjson --sources-dir ./sources | jq .event

    Exit codes: 0 done, 1 a record was rejected or a line was no JSON.
    """
    import msgspec

    from collector.preview import Preview

    sources = _load(sources_dir)
    source = _one(sources, name)
    preview = Preview(sources.values())
    failed = False
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            record = msgspec.json.decode(line)
        except (msgspec.MsgspecError, RecursionError) as wrong:
            failed = True
            _aside(number, "error", f"not JSON: {wrong}", as_json)
            continue
        made = preview.documents(record, source=source.name)
        for document in made.get("documents", ()):
            click.echo(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
        if "ignored" in made:
            _aside(number, "ignored", made["ignored"], as_json)
        if "rejected" in made:
            failed = True
            _aside(number, "rejected", made["rejected"], as_json)
    if failed:
        sys.exit(1)


def _received() -> int:
    """A time of receipt after that of every sample, on machines with any clock."""
    import time

    return max(time.time_ns(), _AFTER_ALL_SAMPLES)


def _aside(number: int, kind: str, words: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"line": number, kind: words}, ensure_ascii=False))
    else:
        if isinstance(words, dict):
            path = f" at {words['path']}" if words["path"] else ""
            words = f"{words['reason']}: {words['detail']}{path}"
        click.echo(f"line {number}: {kind}: {words}", err=True)


def _summary(source: Source) -> dict[str, Any]:
    return {
        "name": source.name,
        "version": source.version,
        "title": source.title,
        "description": source.description,
        "reference": source.reference,
        "tags": list(source.tags),
        "priority": source.priority,
        "tested": source.test is not None,
        "takes_vocabulary": source.takes_vocabulary,
        "fields": list(source.fields),
        "folder": str(source.folder),
    }


def _section(title: str, entries: dict[str, Any]) -> None:
    if not entries:
        return
    click.echo(f"\n{title}")
    for name, value in entries.items():
        words = _words(value)
        if len(words) > 96 and isinstance(value, dict) and isinstance(value.get("first"), list):
            words = "first of"
            for one in value["first"]:
                words += f"\n{'':36}{_words(one)}"
        click.echo(f"  {name:32}  {words}".rstrip())


def _words(value: Any) -> str:
    """A rule or condition on one line, as YAML's flow style writes it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    import yaml

    text: str = yaml.safe_dump(
        value, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True
    )
    return text.strip()


def _print_report(report: list[dict[str, Any]], update: bool) -> None:
    for one in report:
        records = sum(sample["records"] for sample in one["samples"])
        word = "written" if update else "passed" if one["passed"] else "FAILED"
        click.echo(f"{one['source']:24} {word:8} {len(one['samples'])} samples, {records} records")
        for missing in one["unreached"]:
            click.echo(f"  no sample shows the {missing}")
        for sample in one["samples"]:
            if sample["difference"]:
                click.echo(sample["difference"])
