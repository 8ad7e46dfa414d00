"""The stand-in answers as the API does, or its test fails."""

from __future__ import annotations

import urllib.request
from contextlib import nullcontext

import pytest

from tests.browser.stand_in import StandIn
from tests.sidecar_api.search.log import document


@pytest.mark.parametrize(
    ("more", "wrong"), [({}, ""), ({"colour": "red"}, "'colour' was unexpected")]
)
def test_an_answer_that_the_document_has_not_fails_its_test(
    more: dict[str, str], wrong: str
) -> None:
    """An activity with a member that none has, and one without."""
    server = StandIn([{"id": "a1", **document(event__action="server.update"), **more}])
    with urllib.request.urlopen(f"{server.url}/api/v1/activities/a1", timeout=30) as answer:
        assert answer.status == 200
    with pytest.raises(AssertionError, match=wrong) if wrong else nullcontext():
        server.close()
