"""JSON for the OpenSearch client by orjson: several times faster than the client's own."""

from __future__ import annotations

from typing import Any

import orjson
from opensearchpy.exceptions import SerializationError
from opensearchpy.serializer import JSONSerializer


class OrjsonSerializer(JSONSerializer):
    """The same forms as the client's own serializer, written and read by orjson.

    Numbers beyond 64 bit, which orjson refuses to write, fall back to the slower one.
    """

    def loads(self, s: str | bytes) -> Any:
        """Read an answer.

        Raises:
            SerializationError: not JSON.
        """
        try:
            return orjson.loads(s)
        except orjson.JSONDecodeError as wrong:
            raise SerializationError(s, wrong) from wrong

    def dumps(self, data: Any) -> Any:
        """Write a body; strings and bytes are taken as JSON already.

        Raises:
            SerializationError: it has no form in JSON.
        """
        if isinstance(data, str | bytes):
            return data
        try:
            return orjson.dumps(data, default=self.default).decode()
        except TypeError:
            return super().dumps(data)
