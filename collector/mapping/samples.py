"""Checking a mapping against its own samples: ``samples/`` in, ``expected/`` out."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from activity_center.errors import SourceError
from collector.mapping.source import Source

Finish = Callable[[Source, dict[str, Any]], dict[str, Any]]
"""(source, record) -> what the later stages make of it: ``{"documents": [...]}`` and the like."""

VOLATILE: Final = ("event.ingested", "event.hash")
"""Fields that differ from run to run, or with every other field; the tester leaves them out."""
_OF_RECEIPT: Final = ("@timestamp", "event.id")
"""What also differs for a record without any time of its own: it is a new event each time."""
_KINDS: Final = ("activities", "documents")


@dataclass(frozen=True, slots=True)
class SampleResult:
    """What came of one sample file.

    Attributes:
        sample: the file under ``samples/``.
        expected: the file under ``expected/``.
        records: number of records in the sample.
        difference: unified diff from expected to actual; empty when they agree.
        actual: per record what it gives: ``{"activities": [...]}`` as mapped, or
            ``{"documents": [...]}`` or ``{"rejected": {...}}`` after later stages; or
            ``{"ignored": reason}``. ``ignored_inside`` has the reasons of records inside it.
    """

    sample: Path
    expected: Path
    records: int
    difference: str
    actual: list[dict[str, Any]]

    @property
    def passed(self) -> bool:
        """Whether the mapping gives what is expected."""
        return not self.difference


def check_samples(
    source: Source,
    *,
    finish: Finish | None = None,
    volatile: tuple[str, ...] = VOLATILE,
    update: bool = False,
) -> list[SampleResult]:
    """Map every sample of ``source`` and compare with what is expected.

    Args:
        finish: later stages; without, the mapped activities themselves are compared.
        volatile: dotted fields to leave out of both sides.
        update: write what the mapping gives to ``expected/`` instead of comparing.

    Raises:
        SourceError: there is no sample, or one cannot be read.
    """
    samples = sorted(
        path
        for path in (source.folder / "samples").glob("*")
        if path.suffix in (".json", ".ndjson")
    )
    if not samples:
        raise SourceError(
            "no samples", where=str(source.folder), hint="samples/*.json or samples/*.ndjson"
        )
    return [_check(source, path, finish, volatile, update) for path in samples]


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a sample: one JSON object, a list of them, or one per line.

    Raises:
        SourceError: it is no JSON, with file and line.
    """
    data = path.read_bytes()
    if path.suffix != ".ndjson":
        value = _decode(data, f"{path}:1")
        return value if isinstance(value, list) else [value]
    return [
        _decode(line, f"{path}:{number}")
        for number, line in enumerate(data.splitlines(), 1)
        if line.strip()
    ]


def _decode(data: bytes, where: str) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError) as wrong:
        raise SourceError(f"not JSON: {wrong}", where=where) from wrong


def _check(
    source: Source, sample: Path, finish: Finish | None, volatile: tuple[str, ...], update: bool
) -> SampleResult:
    expected = source.folder / "expected" / f"{sample.stem}.json"
    records = read_records(sample)
    actual = [_outcome(source, record, finish, volatile) for record in records]
    text = _text(actual)
    if update:
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(text, encoding="utf-8")
        return SampleResult(sample, expected, len(records), "", actual)
    before = "[]\n"
    if expected.is_file():
        before = _text(_decode(expected.read_bytes(), f"{expected}:1"))
    lines = difflib.unified_diff(
        before.splitlines(), text.splitlines(), str(expected), "as mapped", lineterm=""
    )
    return SampleResult(sample, expected, len(records), "\n".join(lines), actual)


def _outcome(
    source: Source, record: dict[str, Any], finish: Finish | None, volatile: tuple[str, ...]
) -> dict[str, Any]:
    mapped = source.map(record)
    if isinstance(mapped, str):
        return {"ignored": mapped}
    result = {"activities": list(mapped)} if finish is None else finish(source, record)
    for kind in _KINDS:
        for one in result.get(kind, ()):
            timeless = one.get("activity", {}).get("timestamp_source") == "receipt"
            for name in (*volatile, *(_OF_RECEIPT if timeless else ())):
                _leave_out(one, name.split("."))
    ignored = getattr(mapped, "ignored", ())
    return {**result, "ignored_inside": list(ignored)} if ignored else result


def _leave_out(activity: Any, path: list[str]) -> None:
    *parents, last = path
    for key in parents:
        activity = activity.get(key) if isinstance(activity, dict) else None
    if isinstance(activity, dict):
        activity.pop(last, None)


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def unreached(source: Source, results: list[SampleResult]) -> list[str]:
    """Return what no sample shows: fields that are never set, reasons never given."""
    seen: set[str] = set()
    reasons: set[str] = set()
    for result in results:
        for outcome in result.actual:
            reasons.update(outcome.get("ignored_inside", ()))
            if "ignored" in outcome:
                reasons.add(outcome["ignored"])
            for kind in _KINDS:
                for one in outcome.get(kind, ()):
                    seen.update(_names(one, ""))
    missing = [f"field {name}" for name in source.fields if name not in seen]
    return missing + [f"reason {one!r}" for one in source.reasons if one not in reasons]


def _names(value: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, child in value.items():
        name = f"{prefix}{key}"
        yield name
        if isinstance(child, Mapping):
            yield from _names(child, name + ".")
