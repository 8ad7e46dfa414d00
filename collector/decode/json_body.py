"""JSON in: one object, an array, or lines (NDJSON), as a body of bytes.

msgspec keeps integers beyond 64 bit as they are and refuses NaN, so nothing is changed
without a word; the reasons for a refusal are worked out afterwards, with the standard
library as the second opinion.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

import msgspec

from collector.decode.result import Broken, Decoded, Limits, Unreadable

_BOM: Final = b"\xef\xbb\xbf"
_FIRST: Final = re.compile(rb"[ \t\r\n]*([^ \t\r\n])")
_ANY: Final = msgspec.json.Decoder()
_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = "a number beyond the range of JSON readers (RFC 8259, section 6)"


class _NotFinite(Exception):
    pass


def _not_finite(name: str) -> NoReturn:
    raise _NotFinite(name)


def _reason(raw: bytes, wrong: Exception) -> tuple[str, str]:
    """Return (reason, detail) for bytes that msgspec refused."""
    if isinstance(wrong, RecursionError):
        return "too_deep", "nested deeper than about 1000 levels"
    if isinstance(wrong, UnicodeDecodeError):
        return "bad_text", f"not UTF-8: {wrong.reason} at byte {wrong.start}"
    if "Invalid UTF-8" in str(wrong):  # as msgspec from 0.23 on says it
        return "bad_text", str(wrong)
    if isinstance(wrong, msgspec.ValidationError):
        return "bad_number", _NUMBER
    try:
        json.loads(raw, parse_constant=_not_finite)
    except _NotFinite as name:
        return "bad_number", f"{name} is not a number in JSON (RFC 8259, section 6)"
    except (ValueError, RecursionError):
        return "undecodable", str(wrong)
    # The standard library differs in one thing only: it lets lone surrogates through.
    return "bad_text", "a lone surrogate (RFC 8259, section 8.2)"


class _Sink:
    __slots__ = ("decoded", "index", "limits")

    def __init__(self, size: int, limits: Limits) -> None:
        self.decoded = Decoded(size=size)
        self.index = 0
        self.limits = limits

    def reject(self, reason: str, detail: str, raw: bytes) -> None:
        self.decoded.broken.append(Broken(self.index, reason, detail, raw))
        self.index += 1

    def one(self, raw: bytes) -> None:
        if len(raw) > self.limits.event_bytes:
            return self.reject("too_large", f"the event has {len(raw)} bytes", raw)
        try:
            record = _ANY.decode(raw)
        except _ERRORS as wrong:
            reason, detail = _reason(raw, wrong)
            return self.reject(reason, detail, raw)
        self.decoded.records.append(record)
        self.index += 1


def decode_json(body: bytes, limits: Limits, *, lines: bool = False) -> Decoded:
    """Decode a body.

    Args:
        body: the bytes, decompressed.
        limits: what to keep to.
        lines: the sender says it is NDJSON; else found out from the bytes.

    Returns:
        Records and broken records in the order sent. In NDJSON blank lines count as none.

    Raises:
        Unreadable: nothing of the body can be read, or it holds too many values.
    """
    if body.startswith(_BOM):
        body = body[len(_BOM) :]
    containers = body.count(b"{") + body.count(b"[")
    values = containers + body.count(b",") + body.count(b"\n")  # at most
    if values > limits.values:
        raise Unreadable("too_large", f"more than {limits.values} values in one body")
    first = _FIRST.match(body)
    if first is None:
        raise Unreadable("undecodable", "the body is empty", hint="send at least one activity")
    if lines:
        decoded = _lines(body, limits)
    elif first.group(1) == b"[":
        decoded = _array(body, limits)
    else:
        decoded = _object_or_lines(body, limits)
    decoded.weigh(8 * len(body) + 64 * containers)
    return decoded


def _lines(body: bytes, limits: Limits) -> Decoded:
    sink = _Sink(len(body), limits)
    for line in body.split(b"\n"):
        stripped = line.strip(b" \t\r")
        if not stripped:
            continue
        if sink.index >= limits.records:
            raise Unreadable("too_large", f"more than {limits.records} records in one body")
        sink.one(stripped)
    return sink.decoded


def _array(body: bytes, limits: Limits) -> Decoded:
    if len(body) <= limits.event_bytes:
        try:
            records: list[Any] = _ANY.decode(body)
        except _ERRORS:
            pass
        else:
            return Decoded(records=_counted(records, limits), size=len(body))
    sink = _Sink(len(body), limits)
    try:
        raws = [bytes(raw) for raw in _counted(_RAWS.decode(body), limits)]
    except _ERRORS as wrong:
        raws = _split_slowly(body, limits, wrong)
    for raw in raws:
        sink.one(raw)
    return sink.decoded


def _split_slowly(body: bytes, limits: Limits, wrong: Exception) -> list[bytes]:
    """Cut an array that msgspec refuses as a whole into elements, to find the bad ones.

    The standard library's decoder is more lenient (NaN, lone surrogates), so it finds
    where such an element ends.
    """
    text = body.decode("utf-8", "surrogateescape")
    # Numbers are not of interest here, and long ones would be refused.
    decoder = json.JSONDecoder(parse_int=len, parse_float=len)
    elements: list[bytes] = []
    try:
        at = _SPACE.match(text, 0).end() + 1  # type: ignore[union-attr]
        while True:
            start = _SPACE.match(text, at).end()  # type: ignore[union-attr]
            _, end = decoder.raw_decode(text, start)
            elements.append(text[start:end].encode("utf-8", "surrogateescape"))
            separator = _SPACE.match(text, end)
            at = separator.end() + 1  # type: ignore[union-attr]
            mark = text[at - 1 : at]
            if mark == "]" and not text[at:].strip(" \t\r\n"):
                return _counted(elements, limits)
            if mark != ",":
                break
    except (ValueError, RecursionError):
        pass
    reason, detail = _reason(body, wrong)
    raise Unreadable(reason, detail) from wrong


def _counted(records: list[Any], limits: Limits) -> list[Any]:
    if len(records) > limits.records:
        raise Unreadable("too_large", f"more than {limits.records} records in one body")
    return records


def _object_or_lines(body: bytes, limits: Limits) -> Decoded:
    """One value; else lines, if at least one of them is an object."""
    raw = body.strip(b" \t\r\n")
    if len(raw) <= limits.event_bytes:
        try:
            return Decoded(records=[_ANY.decode(raw)], size=len(body))
        except _ERRORS as wrong:
            reason, detail = _reason(raw, wrong)
    else:
        reason, detail = "too_large", f"the event has {len(raw)} bytes"
    if b"\n" in raw:
        decoded = _lines(body, limits)
        if any(isinstance(record, dict) for record in decoded.records):
            return decoded
    if reason == "undecodable":
        raise Unreadable(reason, detail)
    return Decoded(broken=[Broken(0, reason, detail, raw)], size=len(body))
