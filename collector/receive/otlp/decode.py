"""From a body to records, whole request or record by record, always within limits."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from collector.decode import Broken, Decoded, Limits, Unreadable
from collector.receive.otlp.plain import Plain
from collector.receive.otlp.signals import Signal
from collector.receive.otlp.wire import Cutter, no_request

TURN: Final = 5000
"""Work after which others get a turn, in values: about 10 ms."""
_PART: Final = 25
"""Work of a record, a resource or a scope beside that of its values."""
_PARTS: Final = 3
"""Parts of an envelope for each record that may be in it: its resource, its scope, itself."""
_LATEST: Final = 2**63
_AROUND, _INSIDE, _URL = 1, 2, 3
"""Field numbers of what holds records: resource or scope, what is inside, ``schema_url``."""


class Body(NamedTuple):
    """A decompressed body.

    Attributes:
        is_json: it is JSON, not protobuf.
    """

    data: bytes
    is_json: bool


class _Part(NamedTuple):
    """A record on its way.

    Attributes:
        around: its resource and scope, as plain values.
        around_size: their size, bytes.
        raw: itself, encoded.
    """

    around: dict[str, Any]
    around_size: int
    raw: bytes


def decode(body: Body, signal: Signal, limits: Limits) -> Generator[None, None, Decoded]:
    """Decode a request; yields after work of :data:`TURN`, and returns all records.

    A record counts with the resource and the scope that it shares with others: each becomes an
    activity of its own, which says where it comes from.

    Raises:
        Unreadable: nothing of it can be read, or it holds too much.
    """
    plain = Plain()
    parts = _parts_of_json if body.is_json else _parts_of_protobuf
    read = _read_json if body.is_json else _read_protobuf
    times: list[int | None] = []
    decoded = Decoded(times=times, size=len(body.data))
    total = index = done = 0
    for count, part in enumerate(parts(body.data, signal, limits, plain)):
        # What holds no records costs as much as what does, so it counts as well.
        if count >= _PARTS * limits.records:
            raise Unreadable("too_large", f"more than {_PARTS * limits.records} parts in one body")
        if plain.values > limits.values:
            raise Unreadable("too_large", f"more than {limits.values} values in one body")
        if (work := _PART * count + plain.values) - done >= TURN:
            done = work
            yield
        if part is None:
            continue
        size = len(part.raw) + part.around_size
        total += size
        if index >= limits.records:
            raise Unreadable("too_large", f"more than {limits.records} records in one body")
        if total > limits.inflated_bytes:
            raise Unreadable(
                "too_large",
                f"with resource and scope at each record the body has more than "
                f"{limits.inflated_bytes} bytes",
                hint="send fewer records per request",
            )
        index += 1
        if size > limits.event_bytes:
            words = f"the {signal.words} has {size} bytes with its resource and scope"
            decoded.broken.append(Broken(index - 1, "too_large", words, part.raw))
            continue
        try:
            message = read(part, signal.message, plain)
        # Their own words would quote values.
        except (DecodeError, ValueError, RecursionError, msgspec.MsgspecError):
            words = f"a field of the {signal.words} has a value of the wrong kind"
            decoded.broken.append(Broken(index - 1, "undecodable", words, part.raw))
            continue
        decoded.records.append({**part.around, signal.record: message})
        times.append(_time(message, signal))
    if plain.values > limits.values:
        raise Unreadable("too_large", f"more than {limits.values} values in one body")
    decoded.weigh(8 * max(total, len(body.data)) + 64 * plain.values)
    return decoded


def _read_protobuf(part: _Part, kind: Any, plain: Plain) -> dict[str, Any]:
    return plain.message(kind.FromString(part.raw))


def _read_json(part: _Part, kind: Any, plain: Plain) -> dict[str, Any]:
    return plain.json_message(msgspec.json.decode(part.raw), kind.DESCRIPTOR)


def _time(message: dict[str, Any], signal: Signal) -> int | None:
    """The transport's time of a record, Unix ns."""
    for name in signal.times:
        time = message.get(name, 0)
        if 0 < time < _LATEST:
            return int(time)
    return None


# -- protobuf ------------------------------------------------------------------------


def _parts_of_protobuf(
    data: bytes, signal: Signal, limits: Limits, plain: Plain
) -> Iterator[_Part | None]:
    """Yield the records, and ``None`` for each resource and scope."""
    cutter = Cutter(_PARTS * limits.records)
    for outer in cutter.fields(memoryview(data)).get(1, ()):
        group = cutter.fields(outer)
        resource, size = _around(group, Resource, plain, limits)
        yield None
        for inner in group.get(_INSIDE, ()):
            scoped = cutter.fields(inner)
            scope, more = _around(scoped, InstrumentationScope, plain, limits)
            yield None
            around = {name: one for name, one in (("resource", resource), ("scope", scope)) if one}
            for record in scoped.get(_INSIDE, ()):
                yield _Part(around, size + more, bytes(record))


def _around(
    group: dict[int, list[memoryview]], kind: Any, plain: Plain, limits: Limits
) -> tuple[dict[str, Any], int]:
    """What holds records, as plain values, and its size.

    A message that is sent in several pieces is the pieces put together.
    """
    raw = b"".join(group.get(_AROUND, ()))
    url = bytes(group[_URL][-1]) if _URL in group else b""
    _check_around(len(raw) + len(url), limits)
    try:
        found = plain.message(kind.FromString(raw))
        if url:
            found["schemaUrl"] = url.decode()
    except (DecodeError, ValueError) as wrong:
        raise no_request("a resource or scope is no protobuf of it") from wrong
    return found, len(raw) + len(url)


def _check_around(size: int, limits: Limits) -> None:
    if size > limits.event_bytes:
        raise Unreadable("too_large", f"a resource or scope of {size} bytes")


# -- JSON ----------------------------------------------------------------------------


@cache
def _shapes(signal: Signal) -> tuple[Any, Any, Any]:
    """Decoders of a request, a resource's group and a scope's; what is in them stays encoded.

    Decoded as a whole, a body of empty groups is millions of objects before any is counted.
    """
    raw, url = (msgspec.Raw, msgspec.Raw()), ("schemaUrl", Any, None)
    shapes = []
    for name, around in zip(signal.lists, ("", "resource", "scope"), strict=True):
        held = (
            "held",
            list[msgspec.Raw] | dict[str, msgspec.Raw] | str | float | bool | None,
            None,
        )
        fields = [held, ("around", *raw), url]
        rename = {"held": name, "around": around}
        shapes.append(msgspec.json.Decoder(msgspec.defstruct("Group", fields, rename=rename)))
    return shapes[0], shapes[1], shapes[2]


def _parts_of_json(
    data: bytes, signal: Signal, limits: Limits, plain: Plain
) -> Iterator[_Part | None]:
    """Yield the records, and ``None`` for each resource and scope."""
    containers = data.count(b"{") + data.count(b"[")
    if containers + data.count(b",") > limits.values:
        raise Unreadable("too_large", f"more than {limits.values} values in one body")
    outer, middle, inner = _shapes(signal)
    for group in _held(_group(data, outer)):
        found = _group(group, middle)
        resource, size = _around_in_json(found, "resource", Resource, plain, limits)
        yield None
        for scoped in _held(found):
            records = _group(scoped, inner)
            scope, more = _around_in_json(records, "scope", InstrumentationScope, plain, limits)
            yield None
            around = {name: one for name, one in (("resource", resource), ("scope", scope)) if one}
            for record in _held(records):
                yield _Part(around, size + more, bytes(record))


def _group(data: Any, shape: Any) -> Any:
    try:
        return shape.decode(data)
    except RecursionError as wrong:
        raise no_request("the body is nested deeper than about 1000 levels") from wrong
    except msgspec.ValidationError as wrong:
        raise no_request("the body, a resource's or a scope's group is no object") from wrong
    except (msgspec.MsgspecError, UnicodeDecodeError) as wrong:
        raise no_request("the body is not JSON (RFC 8259)") from wrong


def _held(group: Any) -> list[Any]:
    if type(found := group.held or []) is not list:
        raise no_request("what should be a list in the body is none")
    return found


def _around_in_json(
    group: Any, name: str, kind: Any, plain: Plain, limits: Limits
) -> tuple[dict[str, Any], int]:
    url = group.schemaUrl if type(group.schemaUrl) is str else ""
    size = len(bytes(group.around)) + len(url.encode("utf-8", "surrogatepass"))
    _check_around(size, limits)
    try:
        value = msgspec.json.decode(group.around) if bytes(group.around) else None
        found = plain.json_message({} if value is None else value, kind.DESCRIPTOR)
    except (ValueError, RecursionError, msgspec.MsgspecError) as wrong:
        raise no_request(f"a {name} is not what OTLP has for it") from wrong
    if url:
        found["schemaUrl"] = url
    return found, size
