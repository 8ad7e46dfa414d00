"""Two organizations on one OpenSearch with security: neither the sidecar nor a direct reader leaks.

Every text in a document of an organization bears that organization's mark, so that whatever
leaks, a value, a label or an id, is recognized. What the sidecar asks is asked twice: by the
sidecar's account within a reader's scope, and by a direct reader, whom OpenSearch holds to
their organization, with a scope that holds nobody to anything.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opensearchpy import OpenSearch

from activity_center import config as configuration
from activity_center.config import Config
from activity_center.config_people import PLATFORM_ADMIN
from activity_center.connection import connect
from activity_center.emit.event import nested
from activity_center.setup import desired_state, install
from activity_center.setup.cluster import ask
from activity_center.streams import LENS_PATTERNS, LENSES, stream_name
from activity_center.vocabulary import fields
from sidecar_api.access import Access, Scope
from sidecar_api.reader import Grant, Reader
from sidecar_api.search import FACETS, Filters, Search
from tests.integration.stories import STAGES, STORIES, told

SECURITY = "/_plugins/_security/api"
ERRORS = (400, 403, 404, 405, 500)
RUN = secrets.token_hex(5)
ONE, OTHER, APART, NOBODYS = (f"{name}{RUN}" for name in ("one", "other", "apart", "nobodys"))
"""Marks, and but for the last ids of organizations; ``APART`` has streams of its own."""
COUNTS = {ONE: 9, OTHER: 12, APART: 10, NOBODYS: 8}
"""Documents of each that the log shows, the last ones those of a story (``stories.py``)."""
ACTIONS = {
    "server.create": ("audit", "creation"),
    "server.delete": ("audit", "deletion"),
    "agent.proposal": ("agent", "info"),
    "process.started": ("process", "start"),
}
SHARED = "permanent"
NOW = datetime.now(UTC) - timedelta(minutes=2)

pytestmark = pytest.mark.usefixtures("alone_with_accounts")


class Heard:
    """A client that keeps what OpenSearch answers to searches, whole."""

    def __init__(self, client: OpenSearch) -> None:
        self.create_pit, self.delete_pit = client.create_pit, client.delete_pit
        self._search = client.search
        self.answers: list[Any] = []

    def search(self, **asked: Any) -> Any:
        """Ask, and keep the answer."""
        self.answers.append(self._search(**asked))
        return self.answers[-1]


@dataclass(frozen=True, slots=True)
class Logins:
    """The accounts, each with the role that it is meant to have."""

    access: Access
    sidecar: OpenSearch
    direct: Mapping[str, OpenSearch]
    """Direct readers by organization; that of ``APART`` has the role on its streams."""
    ids: Mapping[str, list[str]]

    @property
    def boundless(self) -> Scope:
        """What the platform's administrators see: all."""
        return self.access.scope(Reader("", platform_roles=frozenset({PLATFORM_ADMIN})))

    def way(self, path: str, mark: str) -> tuple[Search, Scope, Heard]:
        """A way to ask about one's own: its search, its scope, and what OpenSearch answers."""
        if path == "direct":
            heard, scope = Heard(self.direct[mark]), self.boundless
        elif path == "owner":
            heard = Heard(self.sidecar)
            scope = self.access.scope(Reader(f"{RUN}-x", grants={mark: (Grant("owner"),)}))
        else:
            heard, scope = Heard(self.sidecar), self.access.scope(Reader(f"{mark} user.id"))
        return Search(heard), scope, heard  # type: ignore[arg-type]


def document(mark: str, number: int) -> dict[str, Any]:
    """An activity with the mark in every field that takes a text."""
    action, (lens, kind) = list(ACTIONS.items())[number % len(ACTIONS)]
    # From the latest to the first, and then a story in its order.
    story = number - COUNTS[mark] + len(STAGES)
    ago = number if story < 0 else COUNTS[mark] - story
    at = (NOW - timedelta(minutes=ago)).isoformat(timespec="milliseconds")
    flat: dict[str, Any] = {}
    for one in fields().values():
        free = one.values is None and one.pattern is None and not one.name.startswith("ecs.")
        if one.type in ("keyword", "match_only_text") and free and ".changes." not in one.name:
            text = f"{mark} {one.name}"
            flat[one.name] = [text] if one.many else text
        elif one.type == "flat_object":
            flat[one.name] = {"text": f"{mark} {one.name}"}
    flat |= {
        "@timestamp": at,
        "event.id": f"{mark}-{number}",
        "event.ingested": at,
        "event.action": action if number < 4 else f"{mark}.custom",
        "event.type": [kind],
        "event.outcome": "success",
        "event.hash": secrets.token_hex(32),
        "activity.lens": lens,
        "activity.case.id": RUN,
        "activity.resource.id": f"{mark} {number // 2}",
    }
    if mark != NOBODYS:
        flat["organization.id"] = mark
    return flat if story < 0 else told(flat, story, mark, RUN)


def user(node: Any, role: str, organization: str = "") -> OpenSearch:
    """Make a user with one role; its login begins with the run's mark."""
    name, password = f"{RUN}-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
    attributes = {"organization": organization} if organization else {}
    body = {"password": password, "opendistro_security_roles": [role], "attributes": attributes}
    ask(node.client, "PUT", f"{SECURITY}/internalusers/{name}", body=body)
    return connect(replace(node.cluster, username=name, password=password))


def reader(admin: OpenSearch) -> str:
    """Make a role: that of direct readers, which may ask for inner hits too, as of processes."""
    shipped = "activity-center-reader-organization"
    role = ask(admin, "GET", f"{SECURITY}/roles/{shipped}").body[shipped]
    made = {name: role[name] for name in ("cluster_permissions", "index_permissions")}
    made["cluster_permissions"].append("indices:data/read/msearch")
    ask(admin, "PUT", f"{SECURITY}/roles/{RUN}-direct", body=made)
    return f"{RUN}-direct"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """An installation in which one organization has streams of its own."""
    file = tmp_path_factory.mktemp("leaks") / "activity-center.yml"
    file.write_text(f"organizations:\n  {APART}: {{own_streams: true}}\n")
    return configuration.load(file)


@pytest.fixture(scope="module")
def logins(secure_opensearch: Any, config: Config) -> Iterator[Logins]:
    """The node set up, with documents of all and an account for each path."""
    admin = secure_opensearch.client
    desired = desired_state(config)
    install(admin, desired)
    ids: dict[str, list[str]] = {}
    for mark, count in COUNTS.items():
        lines = []
        for number in range(count):
            one = document(mark, number)
            own = mark if mark == APART else None
            place = stream_name(one["activity.lens"], SHARED, own)
            lines += [{"create": {"_index": place, "_id": one["event.id"]}}, nested(one)]
        body = "\n".join(map(json.dumps, lines)) + "\n"
        answer = ask(admin, "POST", "/_bulk", body=body, params={"refresh": "true"}).body
        assert not answer["errors"], answer
        ids[mark] = [line["create"]["_id"] for line in lines[::2]]
    direct = {one: user(secure_opensearch, reader(admin), one) for one in (ONE, OTHER)}
    direct[APART] = user(secure_opensearch, f"activity-center-organization-{APART}")
    sidecar = user(secure_opensearch, "activity-center-sidecar")
    yield Logins(Access(config), sidecar, direct, ids)
    for client in (sidecar, *direct.values()):
        client.close()
    for name in ask(admin, "GET", f"{SECURITY}/internalusers").body:
        if name.startswith(f"{RUN}-"):
            ask(admin, "DELETE", f"{SECURITY}/internalusers/{name}")
    for name in (one for one in desired.streams if one.endswith(f"-{APART}")):
        ask(admin, "DELETE", f"/_data_stream/{name}")
    for name in (f"activity-center-organization-{APART}", f"{RUN}-direct"):
        ask(admin, "DELETE", f"{SECURITY}/roles/{name}")
    query = {"query": {"term": {"activity.case.id": RUN}}}
    names = ",".join(LENS_PATTERNS)
    ask(admin, "POST", f"/{names}/_delete_by_query", body=query, params={"refresh": "true"})


Question = Callable[[Search, Scope, Filters], Any]


def a_page(search: Search, scope: Scope, filters: Filters) -> Any:
    """A page with all facets and the histogram, and the pages before and behind it."""
    page = search.page(scope, filters, size=25, facets=FACETS, histogram=True)
    around = [search.page(scope, filters, size=25, number=2)]
    if page.first and page.last:
        around.append(search.page(scope, filters, size=25, after=page.first))
        around.append(search.page(scope, filters, size=25, before=page.last))
    return [page, *around]


def the_facets(search: Search, scope: Scope, filters: Filters) -> Any:
    """All facets, whole and narrowed to a text that is in values of all."""
    return [search.facets(scope, filters, FACETS, contains=text) for text in (None, RUN)]


def what_is_new(search: Search, scope: Scope, filters: Filters) -> Any:
    """What has arrived in the last minutes, from a place before it."""
    place = search.beginning(scope, filters, NOW - timedelta(minutes=30))
    return search.newer(scope, filters, place)


QUESTIONS: dict[str, Question] = {
    "page": a_page,
    "facets": the_facets,
    "histogram": lambda search, scope, filters: search.histogram(scope, filters),
    "recent": lambda search, scope, _: [
        search.recent(scope, organization, 50) for organization in (None, ONE, OTHER, APART)
    ],
    "one": lambda search, scope, _: [
        search.one(scope, f"{mark}-{number}") for mark in COUNTS for number in range(3)
    ],
    "newer": what_is_new,
    "seen_of": lambda search, scope, _: search.seen_of(scope, [*COUNTS]),
    "scan": lambda search, scope, filters: [*search.scan(scope, filters, page_size=2)],
}
ASKED = Filters.parse({"case": [RUN]})
FILTERED = (
    Filters.parse({}),
    Filters.parse({"q": [RUN], "organization": [*COUNTS, "-"]}),
)
WAYS = [
    *(("owner", mark) for mark in (ONE, OTHER, APART)),
    *(("oneself", mark) for mark in COUNTS),
    *(("direct", mark) for mark in (ONE, OTHER)),
]
each_way = pytest.mark.parametrize(("path", "mark"), WAYS, ids=lambda one: one.removesuffix(RUN))


def foreign(mark: str, said: str) -> list[str]:
    """The marks of others in what is said."""
    return [other for other in COUNTS if other != mark and other in said]


@pytest.mark.parametrize("name", [one for one in QUESTIONS if one not in ("count", "histogram")])
def test_the_marks_would_be_seen(logins: Logins, name: str) -> None:
    """Without a wall each question does show all of them: the tests below can fail."""
    said = repr(QUESTIONS[name](Search(logins.sidecar), logins.boundless, ASKED))
    assert {ONE, OTHER, APART} <= {mark for mark in COUNTS if mark in said}


@each_way
@pytest.mark.parametrize("name", QUESTIONS)
def test_no_question_shows_others(logins: Logins, name: str, path: str, mark: str) -> None:
    """Nothing of others is in an answer, nor in what OpenSearch said, whatever is filtered."""
    search, scope, heard = logins.way(path, mark)
    for filters in FILTERED:
        assert foreign(mark, repr(QUESTIONS[name](search, scope, filters))) == []
    assert heard.answers
    assert foreign(mark, json.dumps(heard.answers)) == []


@pytest.mark.parametrize("name", STORIES)
def test_the_marks_would_be_seen_in_stories(logins: Logins, name: str) -> None:
    """Without a wall each does show all of them, though their ids are the same."""
    said = repr(STORIES[name](logins.sidecar, logins.boundless, RUN))
    assert {ONE, OTHER, APART} <= {mark for mark in COUNTS if mark in said}


@each_way
@pytest.mark.parametrize("name", STORIES)
def test_no_story_shows_others(logins: Logins, name: str, path: str, mark: str) -> None:
    """Proposals, cases and processes are the reader's own, and so is all that OpenSearch said."""
    _, scope, heard = logins.way(path, mark)
    said = repr(STORIES[name](heard, scope, RUN))  # type: ignore[arg-type]
    assert mark in said
    assert foreign(mark, said) == []
    assert foreign(mark, json.dumps(heard.answers)) == []


@each_way
def test_who_decided_is_the_readers_own(logins: Logins, path: str, mark: str) -> None:
    """What the run does not say is found among the decisions of the same organization."""
    search, scope, heard = logins.way(path, mark)
    wanted = Filters.parse({"case": [RUN], "action": ["agent.proposal.executed"]})
    (run,) = search.page(scope, wanted, size=25).activities
    assert run["activity"]["decided"]["approver"]["id"] == f"{mark} activity.approver.id"
    assert foreign(mark, json.dumps(heard.answers)) == []


@each_way
def test_no_number_counts_others(logins: Logins, path: str, mark: str) -> None:
    """Totals, facets and the histogram count what is the reader's own, exactly."""
    search, scope, _ = logins.way(path, mark)
    own = COUNTS[mark]
    for filters in (Filters.parse({}), ASKED):
        page = search.page(scope, filters, size=25, facets=FACETS, histogram=True)
        assert (page.total, len(page.activities)) == (own, own)
        assert page.histogram is not None
        for found in (page.histogram, search.histogram(scope, filters)):
            assert sum(bucket["count"] for bucket in found["buckets"]) == own
        for facets in (page.facets, search.facets(scope, filters, FACETS)):
            assert facets.keys() == set(FACETS)
            assert all(0 < one["count"] <= own for some in facets.values() for one in some)
            for name in ("action", "outcome", "organization", "workspace", "lens", "tool"):
                assert sum(one["count"] for one in facets[name]) == own, name
    others = Filters.parse({"case": [RUN], "project": [f"{o} activity.project" for o in COUNTS]})
    assert search.page(scope, others, size=25).total == own


@each_way
def test_a_known_id_opens_nothing(logins: Logins, path: str, mark: str) -> None:
    """An activity of others is not there, even for who knows its id."""
    search, scope, _ = logins.way(path, mark)
    for whose, ids in logins.ids.items():
        for id_ in ids:
            assert (search.one(scope, id_) is not None) is (whose == mark), id_


def _suggest(mark: str) -> dict[str, Any]:
    """A suggestion for a misspelt id of somebody."""
    return {"text": f"{mark} user.ix", "term": {"field": "user.id", "suggest_mode": "always"}}


FREE_BODIES: dict[str, dict[str, Any]] = {
    "global": {
        "size": 0,
        "aggs": {"all": {"global": {}, "aggs": {"hits": {"top_hits": {"size": 100}}}}},
    },
    "empty buckets": {
        "size": 0,
        "aggs": {
            "lens": {
                "terms": {"field": "activity.lens"},
                "aggs": {"who": {"terms": {"field": "user.id", "min_doc_count": 0, "size": 999}}},
            }
        },
    },
    "empty buckets of two fields": {
        "size": 0,
        "aggs": {
            "both": {
                "multi_terms": {
                    "terms": [{"field": "organization.id"}, {"field": "user.id"}],
                    "min_doc_count": 0,
                    "size": 999,
                }
            }
        },
    },
    "significant terms": {
        "size": 0,
        "query": {"term": {"activity.resource.id": f"{APART} 0"}},
        "aggs": {
            "it": {"significant_terms": {"field": "activity.resource.id", "min_doc_count": 1}}
        },
    },
    "suggestions": {"size": 0, "suggest": {"own": _suggest(APART), "other": _suggest(OTHER)}},
    "everything": {"size": 100, "query": {"match_all": {}}, "explain": True},
}
"""Bodies that show what a document filter ought to hide (seen on OpenSearch 3.4)."""


@pytest.mark.parametrize("name", FREE_BODIES)
def test_streams_of_their_own_hold_against_every_body(logins: Logins, name: str) -> None:
    """A direct reader of an organization's own streams finds nothing of others with any body."""
    own = ",".join(stream_name(lens, SHARED, APART) for lens in LENSES)
    answer = ask(logins.direct[APART], "POST", f"/{own}/_search", body=FREE_BODIES[name]).body
    suggested = [entry["options"] for some in answer.get("suggest", {}).values() for entry in some]
    said = json.dumps([answer["hits"], answer.get("aggregations"), suggested])
    assert APART in said
    assert foreign(APART, said) == []


def test_streams_of_their_own_lead_nowhere_else(logins: Logins) -> None:
    """By no name does their reader reach a shared stream, nor a reader of shared ones theirs."""
    for names in ("activity-audit-permanent", *LENS_PATTERNS, "*", "_all", "activity-rejected"):
        answer = ask(
            logins.direct[APART], "POST", f"/{names}/_search", body={"size": 100}, allow=ERRORS
        )
        assert foreign(APART, json.dumps(answer.body)) == []
    own = ",".join(stream_name(lens, SHARED, APART) for lens in LENSES)
    for mark in (ONE, OTHER):
        answer = ask(logins.direct[mark], "POST", f"/{own}/_search", body={"size": 100})
        assert answer.body["hits"]["hits"] == []
