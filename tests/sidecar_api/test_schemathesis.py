"""Whatever is sent: no server error, and no answer that the document does not have.

Requests are generated from the OpenAPI document, right ones and wrong ones, by schemathesis.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks

from sidecar_api.openapi.document import document
from sidecar_api.problems import STATUSES
from sidecar_api.routes import described
from tests.sidecar_api.desk import HOST, Desk

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from flask import Flask

    from tests.conftest import Node

LONG = {
    "/api/v1/activities/stream": 1,
    "/api/v1/activities/export": 3,
    "/api/v1/processes/stream": 1,
}
"""Answers that have no end, or as many entries as the log: so many chunks are read of them."""
NOWHERE = STATUSES[404][2]
OPERATIONS = [
    (path, method) for path, item in document(described())["paths"].items() for method in item
]
PUBLIC = {
    path
    for path, item in document(described())["paths"].items()
    for one in item.values()
    if one.get("security") == []
}
READERS = ("admin", "member", "")
"""A platform administrator, a member of an organization, and nobody."""
EXAMPLES = 12
"""Requests an operation and reader, half of them wrong on purpose."""
MANY_EXAMPLES = 100
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


class Cut:
    """The application, with long answers cut off: the client goes away."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = self.app(environ, start_response)
        most = LONG.get(environ["PATH_INFO"])
        if most is None:
            return body
        chunks = list(islice(body, most))
        if hasattr(body, "close"):
            body.close()
        return chunks


@pytest.fixture(scope="module")
def roomy(streams: Node, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A sidecar with an entry, which does not hold a fast client back."""
    rates = {"requests": 1_000_000, "sign_ins": 100_000, "exports": 100}
    folder = tmp_path_factory.mktemp("schemathesis")
    desk = Desk(folder, streams.cluster, streams.client, rate_limit=rates)
    desk.add()
    return desk


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize("who", READERS)
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_answers_as_documented(
    path: str, method: str, who: str, roomy: Desk
) -> None:
    """Generated requests, right and wrong ones: status, media type, headers and body."""
    hold(roomy, path, method, who, EXAMPLES)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("who", READERS)
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_answers_as_documented_for_long(
    path: str, method: str, who: str, roomy: Desk
) -> None:
    """The same with many more requests."""
    hold(roomy, path, method, who, MANY_EXAMPLES)


def hold(desk: Desk, path: str, method: str, who: str, examples: int) -> None:
    """Hold the answers to generated requests against the document."""
    schema = schemathesis.openapi.from_wsgi(
        "/api/openapi.json", Cut(desk.app), headers={"Host": HOST}
    )
    operation = schema[path][method]
    kinds = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]
    sent = {"Host": HOST}
    if who:
        sent["Authorization"] = f"Bearer {desk.token(who)}"

    @given(case=st.one_of(kinds))
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        answer = case.call(headers=sent)
        case.validate_response(answer, checks=CHECKS)
        if not who and case.operation.label.partition(" ")[2] not in PUBLIC:
            # An id that begins with a slash makes an address that is no operation's.
            nowhere = answer.status_code == 404 and answer.json()["detail"] == NOWHERE
            assert nowhere or answer.status_code in (400, 401, 414, 431), answer.status_code

    ask()
