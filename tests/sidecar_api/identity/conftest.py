"""An issuer for the tests of tokens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sidecar_api.identity.issuer import Issuer, rsa


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """A fresh issuer with one key."""
    with Issuer(rsa("first")) as one:
        yield one
