"""Write the tables of the configuration, of alert rules, of metrics and filters from the code.

Run it as ``python docs/generate_tables.py``; ``--check`` writes nothing and exits with 2 when a
table is stale, as tests/docs does.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from activity_center.agents import shipped_policies, verdicts
from activity_center.alerting import fires, load_rules, words
from activity_center.alerting.monitors import compiles
from activity_center.config_file import SCHEMA_FILE
from collector.metrics import METRICS
from sidecar_api.metrics import METRICS as SIDECAR_METRICS
from sidecar_api.search.filters import FILTERS

DOCS = Path(__file__).parent
RULE_SCHEMA = SCHEMA_FILE.parents[1] / "opensearch" / "monitors" / "rule.schema.json"
ALERTS_FILE = SCHEMA_FILE.parents[1] / "charts" / "activity-center" / "files" / "alerts.yaml"
KINDS = {"string": "text", "object": "keys with values"}
BEGIN = "<!-- {} from here: written by docs/generate_tables.py -->"
END = "<!-- {} to here -->"


def resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Follow ``$ref`` within the document; what stands beside it wins."""
    while "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def value_words(schema: dict[str, Any]) -> str:
    """What may stand there, in a word or two."""
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    kinds = schema.get("type", "any")
    words = kinds if isinstance(kinds, str) else " or ".join(kinds)
    bounds = [str(schema[key]) for key in ("minimum", "maximum") if key in schema]
    if len(bounds) == 2:
        words += f", {bounds[0]} to {bounds[1]}"
    return words


def key_rows(schema: dict[str, Any], path: str, root: dict[str, Any]) -> Iterator[str]:
    """Yield a row for each key below ``schema``, depth first, in the order of the schema."""
    schema = resolve(schema, root)
    children: list[tuple[str, dict[str, Any], bool]] = [
        (f"{path}.{key}" if path else key, child, key in schema.get("required", ()))
        for key, child in schema.get("properties", {}).items()
    ]
    if isinstance(schema.get("additionalProperties"), dict):
        children.append((f"{path}.<name>", schema["additionalProperties"], False))
    for name, child, required in children:
        child = resolve(child, root)
        items = resolve(child["items"], root) if "items" in child else {}
        value = f"list of {value_words(items)}" if items else value_words(child)
        default = f"`{json.dumps(child['default'])}`" if "default" in child else ""
        meaning = child.get("description", "").replace("|", "\\|")
        if not meaning and name.endswith("_file"):
            meaning = f"File that holds `{name.rpartition('.')[2].removesuffix('_file')}`."
        if required:
            meaning = f"Required. {meaning}".strip()
        yield f"| `{name}` | {value} | {default} | {meaning} |"
        yield from key_rows(child, name, root)
        yield from key_rows(items, f"{name}[]", root)


def keys() -> list[str]:
    """The table of every key of the configuration."""
    root = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    head = ["| key | value | default | meaning |", "|---|---|---|---|"]
    return [*head, *key_rows(root, "", root)]


def metrics(declared: Iterable[Any]) -> list[str]:
    """The table of every metric that is declared."""
    head = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    return head + [
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} "
        f"| {one.help} |"
        for one in declared
    ]


def filters() -> list[str]:
    """The table of every filter of the log."""
    head = ["| parameter | several | meaning |", "|---|---|---|"]
    return head + [
        f"| `{one.name}` | {'any of' if one.repeats else ''} | {one.description}"
        f"{': ' + ', '.join(f'`{value}`' for value in one.choices) if one.choices else ''} |"
        for one in FILTERS
    ]


def alerts() -> list[str]:
    """The table of alert rules, and what to do about each, under its name as an anchor."""
    lines = [
        "## The rules",
        "",
        "| rule | severity | asks | held back for | plugin |",
        "|---|---|---|---|---|",
    ]
    rules = load_rules().values()
    lines += [
        f"| [`{one.name}`](#{one.name}) | {one.severity} | {one.question} | {words(one.throttle)} "
        f"| {'yes' if compiles(one) else 'no'} |"
        for one in rules
    ]
    for one in rules:
        groups = ", ".join(f"`{key}`" for key in one.keys)
        lines += [
            "",
            f"### {one.name}",
            "",
            f"**{one.title}.** {one.question} Fires when {fires(one, '`')}; one alert for each "
            f"{groups}. [Read more]({one.reference}).",
            "",
            "What to do:",
            "",
            *(f"{number}. {step}" for number, step in enumerate(one.runbook, 1)),
            "",
            "It errs with:",
            "",
            *(f"- {words_}" for words_ in one.false_positives),
        ]
    return lines


def rule_keys(schema: dict[str, Any] | None = None, path: str = "") -> list[str]:
    """The table of the keys of an alert rule, out of its schema; with a path, those below it."""
    root = json.loads(RULE_SCHEMA.read_text(encoding="utf-8"))
    schema = schema or root
    lines = [] if path else ["| key | value | needed | meaning |", "|---|---|---|---|"]
    for key, child in schema["properties"].items():
        child = resolve(child, root)
        items = resolve(child["items"], root) if "items" in child else {}
        one = items or child
        value = one.get("x-form") or KINDS.get(one.get("type")) or value_words(one)
        meaning = child.get("description", "").replace("|", "\\|")
        needed = "yes" if key in schema.get("required", ()) else ""
        value = f"list of: {value}" if items else value
        lines.append(f"| `{path}{key}` | {value} | {needed} | {meaning} |")
        if "properties" in items:
            lines += rule_keys(items, f"{path}{key}[].")
    return lines


def prometheus_alerts() -> list[str]:
    """The table of the chart's Prometheus alerts: their conditions without a release's labels."""
    text = ALERTS_FILE.read_text(encoding="utf-8")
    text = re.sub(r"\{ \{\{-? \.(own|pods) -\}\} \}", "", text)
    text = re.sub(r"\{ \{\{-? \.(own|pods) \}\}, ", "{", text)
    text = re.sub(r"\{\{ \.name \}\}", "NAME", text)
    text = re.sub(r'\{\{ "(.*?)" \}\}', r"\1", text)
    lines = ["| alert | severity | fires when | after |", "|---|---|---|---|"]
    for one in yaml.safe_load(text):
        name, after = one["alert"], "at once" if one["for"] == "0m" else one["for"]
        expr = one["expr"].replace("|", "\\|")
        lines.append(f"| [{name}](#{name.lower()}) | {one['severity']} | `{expr}` | {after} |")
    return lines


def verdict_rows() -> list[str]:
    """The table of verdicts, with what each means and what to do."""
    head = ["| verdict | violation | means | what to do |", "|---|---|---|---|"]
    return head + [
        f"| {said.label}<br>`{said.key}`{f', cause `{said.cause}`' if said.cause else ''} "
        f"| {'yes' if said.violation else ''} | {said.explanation} | {said.what_to_do} |"
        for one in verdicts().values()
        for said in (one, *one.causes.values())
    ]


def policy_rows() -> list[str]:
    """The table of the shipped approval policies."""
    head = [
        "| policy | impact | asks for | by a standing approval | within |",
        "|---|---|---|---|---|",
    ]
    rows = []
    for one in shipped_policies().all:
        asked = [
            text
            for text, wanted in (
                (f"a role with `{one.permission}`", one.approval and one.permission),
                ("an authenticated approver", one.authenticated),
                ("a second person", one.four_eyes),
                ("the target's name, typed", one.typed_confirmation),
                (f"{one.min_read_ms / 1000:g} s at least to read it", one.min_read_ms),
            )
            if wanted
        ]
        rows.append(
            f"| `{one.id}` {one.version}: {one.label} | {', '.join(sorted(one.impact)) or 'any'} "
            f"| {', '.join(asked) or 'nothing'} | {'yes' if one.standing else 'no'} "
            f"| {words(one.within_s) if one.within_s else ''} |"
        )
    return head + rows


def pages() -> dict[Path, str]:
    """Each page with its table as the code has it now."""
    fresh: dict[Path, str] = {}
    for page, name, table in (
        ("configuration.md", "keys", keys()),
        ("operations.md", "metrics", metrics(METRICS)),
        ("operations.md", "sidecar metrics", metrics(SIDECAR_METRICS)),
        ("operations.md", "prometheus alerts", prometheus_alerts()),
        ("api.md", "filters", filters()),
        ("alerts.md", "rule keys", rule_keys()),
        ("alerts.md", "alerts", alerts()),
        ("verdicts.md", "verdicts", verdict_rows()),
        ("verdicts.md", "policies", policy_rows()),
    ):
        file = DOCS / page
        begin, end = BEGIN.format(name), END.format(name)
        fresh[file] = re.sub(
            f"{re.escape(begin)}.*?{re.escape(end)}",
            lambda _, rows=[begin, "", *table, "", end]: "\n".join(rows),  # type: ignore[misc]
            fresh.get(file) or file.read_text(encoding="utf-8"),
            flags=re.S,
        )
    return fresh


def main() -> int:
    """Write the pages, or with ``--check`` compare them."""
    for file, text in pages().items():
        if file.read_text(encoding="utf-8") == text:
            continue
        if "--check" in sys.argv[1:]:
            print(f"docs/{file.name} is stale: run python docs/generate_tables.py", file=sys.stderr)
            return 2
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
