"""Facets and histogram against a count by hand over what is visible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity_center.vocabulary import actions
from sidecar_api.failures import BadRequest
from sidecar_api.search.histogram import INTERVALS, MOST, interval
from tests.sidecar_api.search.log import NOON, Log, document, filters, minutes

AS_OF = NOON + minutes(600)
NAMES = ["Api", "api", "Web *?", "db"]
ACTIONS = [
    "server.create",
    "server.delete",
    "user.login",
    "agent.prompt",
    "odd",
    "workspace.terminate",
]


def one(number: int) -> dict[str, Any]:
    """A document whose fields go by its number, each in another rhythm."""
    return document(
        id=f"d{number:03}",
        at=NOON - timedelta(minutes=number * 37),
        event__action=ACTIONS[number % 6],
        event__outcome=["success", "failure", "unknown"][number % 3],
        event__severity=[0, 1, None, 4][number % 4],
        user__id=[None, "u1", "u2"][number % 3],
        user__name=[None, "Mira", "mira", "jo", "Root"][number % 5],
        gen_ai__agent__name="Pilot" if number % 11 == 0 else None,
        activity__resource__name=[*NAMES, None][number % 5],
        activity__origin=["ui", "agent", None][(number // 2) % 3],
        activity__project=[None, "p1", "P1"][(number // 3) % 3],
    )


DOCUMENTS = [one(number) for number in range(240)]


@pytest.fixture(scope="module")
def filled(table: Log) -> Log:
    table.add(*DOCUMENTS)
    hidden = [
        document(id=f"h{n}", event__action="process.output", user__id="hidden") for n in range(9)
    ]
    table.add(*hidden)
    Log(table.client).add(*(document(id=f"f{n}", user__id="foreign") for n in range(9)))
    return table


def get(stored: dict[str, Any], name: str) -> Any:
    """The value of a dotted field."""
    value: Any = stored
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def verb(stored: dict[str, Any]) -> str:
    """The verb of an action by the catalogue."""
    known = actions().get(stored["event"]["action"])
    return known.verb if known else "-"


def result(stored: dict[str, Any]) -> str:
    """How an entry ended that does not say so itself."""
    return {"success": "completed", "failure": "failed"}.get(stored["event"]["outcome"], "-")


def critical(stored: dict[str, Any]) -> str:
    """Whether the catalogue calls it so."""
    known = actions().get(stored["event"]["action"])
    return "true" if known and known.critical else "false"


def plain(name: str) -> Callable[[dict[str, Any]], str]:
    """A field's value, ``-`` for none."""

    def value(stored: dict[str, Any]) -> str:
        found = get(stored, name)
        return "-" if found is None else str(found)

    return value


VALUES: dict[str, Callable[[dict[str, Any]], str]] = {
    "action": plain("event.action"),
    "verb": verb,
    "type": plain("activity.type"),
    "outcome": plain("event.outcome"),
    "result": result,
    "critical": critical,
    "severity": plain("event.severity"),
    "resource_name": lambda stored: plain("activity.resource.name")(stored).lower(),
    "source": plain("activity.origin"),
    "project": plain("activity.project"),
    "lens": plain("activity.lens"),
}
CHOSEN = st.fixed_dictionaries(
    {},
    optional={
        "action": st.lists(st.sampled_from([*ACTIONS, "-"]), min_size=1, max_size=3),
        "verb": st.lists(st.sampled_from(["create", "delete", "-"]), min_size=1, max_size=2),
        "outcome": st.lists(st.sampled_from(["success", "failure"]), min_size=1, max_size=2),
        "result": st.lists(st.sampled_from(["completed", "failed", "-"]), min_size=1, max_size=2),
        "severity": st.lists(st.sampled_from(["0", "4", "-"]), min_size=1, max_size=2),
        "resource_name": st.lists(st.sampled_from(["api", "db", "-"]), min_size=1, max_size=2),
        "source": st.lists(st.sampled_from(["ui", "-"]), min_size=1, max_size=2),
        "project": st.lists(st.sampled_from(["p1", "P1", "-"]), min_size=1, max_size=2),
        "critical": st.sampled_from([["true"], ["false"]]),
        "range": st.sampled_from([["24h"], ["7d"]]),
    },
)


def fits(stored: dict[str, Any], chosen: dict[str, list[str]], but: str = "") -> bool:
    """Whether a document fulfils all filters but one."""
    for name, values in chosen.items():
        if name == but:
            continue
        if name == "range":
            span = timedelta(hours=24) if values == ["24h"] else timedelta(days=7)
            if datetime.fromisoformat(stored["@timestamp"]) < AS_OF - span:
                return False
        elif VALUES[name](stored) not in values:
            return False
    return True


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(chosen=CHOSEN, asked=st.lists(st.sampled_from(sorted(VALUES)), max_size=5, unique=True))
def test_counts_are_those_by_hand(
    filled: Log, chosen: dict[str, list[str]], asked: list[str]
) -> None:
    """Page, total, each facet and the histogram agree with a count over the visible documents."""
    made = filters(**chosen)
    page = filled.search.page(filled, made, size=100, as_of=AS_OF, facets=asked, histogram=True)
    expected = [stored for stored in DOCUMENTS if fits(stored, chosen)]
    assert page.total == len(expected)
    assert [one["event"]["id"] for one in page.activities] == [
        stored["event"]["id"] for stored in expected[:100]
    ]
    for name in asked:
        by_hand = Counter(
            VALUES[name](stored) for stored in DOCUMENTS if fits(stored, chosen, name)
        )
        found = {
            entry["value"].lower() if name == "resource_name" else entry["value"]: entry["count"]
            for entry in page.facets[name]
        }
        assert found == by_hand, name
    assert page.facets == filled.search.facets(filled, made, asked, as_of=AS_OF)
    assert page.histogram is not None
    buckets = page.histogram["buckets"]
    assert sum(bucket["count"] for bucket in buckets) == len(expected)
    failed = sum(stored["event"]["outcome"] == "failure" for stored in expected)
    assert sum(bucket["failed"] for bucket in buckets) == failed
    assert len(buckets) <= MOST


def test_people(filled: Log) -> None:
    """Users by id with the commonest name, those without an id by name, agents beside them."""
    found = filled.search.facets(filled, filters(), ["actor"], as_of=AS_OF)["actor"]
    by_value = {entry["value"]: entry for entry in found}
    users = Counter(get(stored, "user.id") for stored in DOCUMENTS)
    assert by_value["u1"]["count"] == users["u1"]
    assert by_value["u1"]["label"].lower() == "mira"
    unnamed = [stored for stored in DOCUMENTS if get(stored, "user.id") is None]
    roots = sum(get(stored, "user.name") == "Root" for stored in unnamed)
    assert (by_value["Root"]["count"], by_value["Root"]["label"]) == (roots, "Root")
    assert by_value["Pilot"]["count"] == sum(number % 11 == 0 for number in range(240))
    for entry in found:
        if entry["value"] not in ("u1", "u2"):
            asked = filters(actor=entry["value"])
            listed = filled.search.page(filled, asked, size=25, as_of=AS_OF)
            assert listed.total >= entry["count"]
    assert found[-1]["value"] == "-"


def test_labels(filled: Log) -> None:
    """Actions, verbs and sources bear the words that people read."""
    found = filled.search.facets(filled, filters(), ["action", "verb", "source"], as_of=AS_OF)
    labels = {entry["value"]: entry["label"] for name in found for entry in found[name]}
    assert labels["server.create"] == "Create"
    assert labels["odd"] == "odd"
    assert labels["authenticate"] == "Sign-in"
    assert labels["agent"] == "AI Pilot"


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("resource_name", "AP", {"api"}),
        ("resource_name", "*", {"web *?"}),
        ("resource_name", "b *?", {"web *?"}),
        ("resource_name", ".*", set()),
        ("action", "LOGIN", {"user.login"}),
        ("action", "Terminate", {"workspace.terminate"}),
        ("verb", "elet", {"delete"}),
        ("source", "pilot", {"agent"}),
        ("actor", "pil", {"pilot"}),
        ("actor", "u", {"u1", "u2"}),
        ("actor", "root", {"u1", "u2", "root"}),
        ("severity", "crit", {"4"}),
        ("severity", "x", set()),
        ("project", "P", {"p1"}),
        ("project", '"', set()),
        ("result", "fail", {"failed"}),
    ],
)
def test_narrowed_by_typed_text(filled: Log, name: str, text: str, values: set[str]) -> None:
    """Typed text narrows a facet by value or label, and is never a pattern."""
    found = filled.search.facets(filled, filters(), [name], contains=text, as_of=AS_OF)[name]
    assert {entry["value"].lower() for entry in found} == values


def test_refused_narrowing(filled: Log) -> None:
    """Text that is too long is refused."""
    with pytest.raises(BadRequest) as refused:
        filled.search.facets(filled, filters(), ["action"], contains="x" * 257)
    assert refused.value.members == {"parameter": "contains"}


def test_many_values(log: Log) -> None:
    """Fifty values, the most frequent first, and the rest counted together."""
    log.add(
        *(
            document(id=f"{n}-{k}", activity__project=f"p{n:03}")
            for n in range(70)
            for k in range(n // 30 + 1)
        )
    )
    found = log.search.facets(log, filters(), ["project"], as_of=AS_OF)["project"]
    assert len(found) == 51
    assert found[0] == {"value": "p060", "count": 3, "label": "p060"}
    total = sum(n // 30 + 1 for n in range(70))
    listed = sum(entry["count"] for entry in found[:50])
    assert found[50] == {"value": None, "count": total - listed, "label": "Other values"}
    counts = [entry["count"] for entry in found[:50]]
    assert counts == sorted(counts, reverse=True)


def test_histogram_of_a_range(log: Log) -> None:
    """A range is cut into at most 80 buckets in UTC from its start to its end, empty ones too."""
    log.add(
        document(id="a", at=NOON, event__outcome="failure"),
        document(id="b", at=NOON + minutes(59.9)),
        document(id="c", at=NOON + minutes(60)),
    )
    made = filters(from_="2026-11-19", to="2026-11-20")
    found = log.search.histogram(log, made, as_of=AS_OF)
    assert (found["interval"], found["from"], found["to"]) == (
        "1h",
        "2026-11-19T00:00:00.000Z",
        "2026-11-21T00:00:00.000Z",
    )
    assert len(found["buckets"]) == 48
    assert [bucket for bucket in found["buckets"] if bucket["count"]] == [
        {"at": "2026-11-20T12:00:00.000Z", "count": 2, "failed": 1},
        {"at": "2026-11-20T13:00:00.000Z", "count": 1, "failed": 0},
    ]
    assert found == log.search.page(log, made, size=25, as_of=AS_OF, histogram=True).histogram


def test_histogram_without_entries(log: Log) -> None:
    """Nothing found: no buckets without a range, empty ones with it."""
    found = log.search.histogram(log, filters())
    assert (found["from"], found["to"], found["buckets"]) == (None, None, [])
    found = log.search.histogram(log, filters(range="7d"), as_of=AS_OF)
    assert {bucket["count"] for bucket in found["buckets"]} == {0}
    assert found["to"] == "2026-11-20T22:00:00.000Z"


def test_histogram_counts_clocks_ahead(log: Log) -> None:
    """An entry whose clock ran ahead of a range up to now is counted at its end."""
    log.add(document(id="a", at=NOON + minutes(9), event__ingested="2026-11-20T12:00:00Z"))
    for made in (filters(range="24h"), filters(from_="2026-11-20T12:09:00Z")):
        found = log.search.histogram(log, made, as_of=NOON)
        assert [bucket["count"] for bucket in found["buckets"] if bucket["count"]] == [1]
        assert found["buckets"][-1]["count"] == 1


def test_histogram_over_years(log: Log) -> None:
    """Entries far apart need no more than 80 buckets, whose interval is of the calendar."""
    log.add(*(document(id=f"{y}", at=NOON.replace(year=y)) for y in range(2017, 2027)))
    found = log.search.histogram(log, filters(), as_of=AS_OF)
    assert len(found["buckets"]) <= MOST
    assert sum(bucket["count"] for bucket in found["buckets"]) == 10
    assert found["from"] <= "2017-11-20"
    assert found["to"] > "2026-11-20T12"


@given(
    st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2199, 12, 31)),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=365 * 230)),
)
def test_any_range_fits_eighty_buckets(start: datetime, span: timedelta) -> None:
    """No range needs more than 80 buckets, and the next narrower interval would."""
    start = start.replace(tzinfo=UTC, microsecond=0)
    end = min(start + span, datetime(2200, 1, 1, tzinfo=UTC))
    name = interval(start, end)
    assert (end - start).total_seconds() <= INTERVALS[name] * MOST
    narrower = [seconds for seconds in INTERVALS.values() if seconds < INTERVALS[name]]
    if narrower:
        assert (end - start).total_seconds() > narrower[-1] * (MOST - 2)


def test_counts_are_exact_beyond_the_values_of_one_index(log: Log) -> None:
    """A value that one stream has often and another has behind 600 more frequent ones is counted
    over both, on a page and alone, with a filter of its own facet and without."""
    log.add(
        *(document(id=f"a{n}", activity__project=f"p{n % 600:03}") for n in range(1200)),
        document(id="behind", activity__project="spread"),
        *(
            document(id=f"b{n}", event__action="agent.read", activity__project="spread")
            for n in range(3)
        ),
    )
    for chosen in ({}, {"project": "spread"}):
        page = log.search.page(log, filters(**chosen), size=25, as_of=AS_OF, facets=["project"])
        found = page.facets["project"]
        assert found[0] == {"value": "spread", "count": 4, "label": "spread"}
        assert (found[-1]["value"], sum(one["count"] for one in found)) == (None, 1204)
        assert log.search.facets(log, filters(**chosen), ["project"], as_of=AS_OF) == {
            "project": found
        }
