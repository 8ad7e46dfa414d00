"""A client of OpenSearch that keeps how large each answer is."""

from __future__ import annotations

import json
from typing import Any, cast

from opensearchpy import OpenSearch


class Weighed:
    """Asks what another client asks; ``answers`` has the bytes of each answer, in order,
    ``asked`` how often it was asked."""

    def __init__(self, client: OpenSearch) -> None:
        self._client = client
        self.transport = self
        self.answers: list[int] = []
        self.asked = 0

    @property
    def client(self) -> OpenSearch:
        """It, as what it stands in for."""
        return cast("OpenSearch", self)

    def search(self, *args: Any, **named: Any) -> Any:
        """Search."""
        self.asked += 1
        return self._kept(self._client.search(*args, **named))

    def perform_request(self, *args: Any, **named: Any) -> Any:
        """Make a request."""
        self.asked += 1
        return self._kept(self._client.transport.perform_request(*args, **named))

    def _kept(self, answer: Any) -> Any:
        self.answers.append(len(json.dumps(answer)))
        return answer
