"""Which source takes a record."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.mapping import Router, Source, load, load_all
from collector.mapping.router import MAX_TAGS, tag_pattern

HEAD = "name: {name}\nversion: 1\ntitle: T\ndescription: D\nfields: {{message: m}}\n"


def _source(folder: Path, name: str, match: str) -> Source:
    (folder / name).mkdir()
    text = HEAD.format(name=name) + (f"match: {match}\n" if match else "")
    (folder / name / "source.yml").write_text(text)
    return load(folder / name)


@pytest.mark.parametrize(
    ("pattern", "takes", "leaves"),
    [
        ("a.b", ["a.b"], ["a", "a.b.c", "axb", "a.b\n"]),
        ("a.*", ["a.b", "a."], ["a", "a.b.c"]),
        ("a.**", ["a", "a.b", "a.b.c"], ["ab", "b.a"]),
        ("**.a", ["a", "b.a", "c.b.a"], ["ba", "a.b"]),
        ("**", ["", "a", "a.b"], []),
        ("a.*.c", ["a.b.c"], ["a.b.b.c", "a.c"]),
        ("{a,b}.c", ["a.c", "b.c"], ["ab.c", "c"]),
        ("a+(b)", ["a+(b)"], ["aab"]),
    ],
)
def test_tag_patterns(pattern: str, takes: list[str], leaves: list[str]) -> None:
    """Tags match as in Fluentd's match directive."""
    compiled = tag_pattern(pattern)
    assert [tag for tag in [*takes, *leaves] if compiled.search(tag)] == takes


def test_order(tmp_path: Path) -> None:
    """Name before tag before tests; among equals by priority, then by name."""
    router = Router(
        [
            _source(tmp_path, "low", "{tags: [t.**], priority: -1}"),
            _source(tmp_path, "high", "{tags: [t.*], when: {path: k, equals: 1}, priority: 2}"),
            _source(tmp_path, "test", "{when: {path: k, exists: true}}"),
            _source(tmp_path, "silent", ""),
        ]
    )

    def name(source: str | None, tag: str, **record: int) -> str | None:
        found = router.route(source, tag, record)
        return found.name if found else None

    assert name("silent", "t.x", k=1) == "silent"
    assert name("unknown", "t.x", k=1) is None
    assert name(None, "t.x", k=1) == "high"
    assert name(None, "t.x", k=2) == "low"
    assert name(None, "t.x.y", k=1) == "low"
    assert name(None, "other", k=1) == "high"
    assert name(None, "", k=5) == "test"
    assert name(None, "", z=5) is None


def test_tags_of_strangers_are_bounded(tmp_path: Path) -> None:
    """Senders choose tags: the memory of them stays small, odd ones raise nothing."""
    router = Router([_source(tmp_path, "one", "{tags: [a.**]}")])
    for number in range(MAX_TAGS + 10):
        router.route(None, f"x.{number}", {})
    assert len(router._tags) <= MAX_TAGS
    assert router.route(None, "\ud800", {}) is None
    found = router.route(None, "a.b", {})
    assert found is not None
    assert found.name == "one"


def test_shipped_sources_know_their_records() -> None:
    """Records without name and tag find the shipped source by its test."""
    router = Router(load_all().values())
    for record, wanted in (
        ({"apiVersion": "audit.k8s.io/v1", "kind": "Event"}, "kubernetes-audit"),
        ({"audit_category": "AUTHENTICATED"}, "opensearch-security"),
        ({"event": {"action": "server.create"}}, "native"),
        ({"event.action": "server.create"}, "native"),
    ):
        found = router.route(None, "", record)
        assert found is not None
        assert found.name == wanted
    assert router.route(None, "", {"event": "text", "apiVersion": 3, "audit_category": []}) is None
