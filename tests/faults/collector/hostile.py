"""What a hostile or broken sender may send, and what must become of it."""

from __future__ import annotations

import gzip
import json
import struct
from dataclasses import dataclass, field
from typing import Any

import msgpack

from tests.faults.collector.traffic import TAG, activity

KEPT = "accepted"


@dataclass(frozen=True, slots=True)
class Request:
    """A request over HTTP: ``outcomes`` names what may become of its one event.

    Attributes:
        status: the status of the answer.
        outcomes: ``accepted`` or reasons of rejection; of a problem, its ``reason``.
    """

    name: str
    body: bytes
    status: int = 200
    outcomes: frozenset[str] = frozenset({KEPT})
    headers: dict[str, str] = field(default_factory=dict)
    token: str = ""


def _json(key: str, value: str, name: str = "note") -> bytes:
    """An event with a member whose value is spelled as it is."""
    body = json.dumps(activity(key, 1, **{name: "PLACE"}))
    return body.replace('"PLACE"', value).encode("utf-8", "surrogatepass")


def _nested(levels: int, inner: str = "1") -> str:
    return '{"a":' * levels + inner + "}" * levels


DATES = (
    '"0001-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59.999999Z"',
    '"2026-13-45T99:99:99Z"',
    '"1969-12-31T23:59:59-23:59"',
    "-1",
    "1e300",
    "99999999999999999999",
    '"tomorrow"',
    "[]",
    "{}",
    '""',
    "null",
)
BAD_NUMBER = frozenset({"bad_number"})
BAD_TEXT = frozenset({"bad_text"})


def requests() -> list[Request]:
    """Every hostile request over HTTP."""
    bomb = gzip.compress(bytes(200 * 1024**2), 6)
    zipped = {"Content-Encoding": "gzip"}
    unreadable = frozenset({"undecodable", "too_deep"})
    made = [
        Request("no JSON", b"\x00\xff{]", 400, unreadable),
        Request("cut short", _json("cut", "1")[:-3], 400, unreadable),
        Request("100,000 brackets", b"[" * 100_000, 400, unreadable),
        Request("deep object", _json("deep", _nested(90))),
        Request("deeper object", _json("deeper", _nested(600)), 200, frozenset({KEPT, "too_deep"})),
        Request("bomb", bomb, 413, frozenset(), zipped),
        Request("no gzip", b"no gzip at all", 400, unreadable, zipped),
        Request(
            "invalid UTF-8",
            _json("utf", '"\udcff"').replace(b"\xed\xb3\xbf", b"\xff"),
            200,
            BAD_TEXT,
        ),
        Request("lone surrogate", _json("surrogate", '"\\ud800"'), 200, BAD_TEXT),
        Request("surrogate in a key", _json("key", '{"\\udfff": 1}'), 200, BAD_TEXT),
        Request("NaN", _json("nan", "NaN"), 200, BAD_NUMBER | {"undecodable"}),
        Request("infinity", _json("infinity", "1e999"), 200, BAD_NUMBER),
        Request("80-bit integer", _json("80", "1208925819614629174706176"), 200, BAD_NUMBER),
        Request("2,000 digits", _json("digits", "9" * 2000), 200, BAD_NUMBER),
        Request(
            "dotted keys", _json("dots", '{"a.b": {"c.d": 1}, ".": 1, "..": 2, "": 3, "a.": 4}')
        ),
        Request(
            "dotted names", json.dumps({"event.action": "a.b", "user.name": "x", ".x": 1}).encode()
        ),
        Request("10,000 keys", _json("many", json.dumps({f"k{n}": n for n in range(10_000)}))),
        Request(
            "wrong shapes",
            json.dumps({"event": 5, "user": ["x"], "organization": 7}).encode(),
            200,
            frozenset({KEPT, "invalid", "organization_not_allowed"}),
        ),
        Request("not an object", b"[[1]]", 200, frozenset({"not_an_object"})),
        Request(
            "event over 1 MiB",
            _json("large", json.dumps("x" * 1_200_000)),
            200,
            frozenset({"too_large"}),
        ),
        Request("wrong token", _json("token", "1"), 401, frozenset(), token="wr0ng"),
        Request(
            "unknown source",
            _json("source", "1"),
            200,
            frozenset({"no_source"}),
            {"source": "nope"},
        ),
    ]
    for number, date in enumerate(DATES):
        body = json.dumps({**activity(f"date-{number}", 1), "@timestamp": "PLACE"})
        made.append(
            Request(
                f"date {date}",
                body.replace('"PLACE"', date).encode(),
                200,
                frozenset({KEPT, "bad_number"}),
            )
        )
    return made


def _message(stream: bytes, **option: Any) -> bytes:
    return bytes(msgpack.packb([TAG, stream, {"chunk": "hostile", **option}]))


def _entry(time: bytes, record: bytes) -> bytes:
    return b"\x92" + time + record


NOW = struct.pack(">BBII", 0xD7, 0, 1_790_000_000, 0)


def acknowledged_messages() -> dict[str, bytes]:
    """Messages whose good entries are kept and whose rest goes to the rejected store.

    Acknowledged, or their sender would repeat them for ever.
    """
    bomb = gzip.compress(bytes(200 * 1024**2), 6)
    good = _entry(NOW, msgpack.packb(activity("beside-hostile", 1)))
    deep = b"\x81\xa1a" * 500 + b"\x01"
    return {
        "invalid UTF-8": _message(good + _entry(NOW, b"\x81\xa1a\xa2\xff\xfe")),
        "deep record": _message(good + _entry(NOW, deep)),
        "NaN": _message(good + _entry(NOW, b"\x81\xa1a" + struct.pack(">Bd", 0xCB, float("nan")))),
        "bin keys": _message(good + _entry(NOW, b"\x81\xc4\x02\xff\x00\x01")),
        "64-bit": _message(good + _entry(NOW, b"\x81\xa1a\xcf" + b"\xff" * 8)),
        "time 0": _message(_entry(b"\x00", msgpack.packb(activity("time-0", 2)))),
        "time 2106": _message(
            _entry(b"\xd7\x00" + b"\xff" * 8, msgpack.packb(activity("time-2106", 2)))
        ),
        "10,000 keys": _message(
            _entry(
                NOW, msgpack.packb(activity("keys", 1, note={f"k{n}": n for n in range(10_000)}))
            )
        ),
        "gzip bomb": _message(bomb, compressed="gzip"),
        "no gzip": _message(b"no gzip", compressed="gzip"),
        "forged length inside": _message(good + b"\x92\x01\xdf\xff\xff\xff\xff"),
    }


def refused_messages() -> dict[str, bytes]:
    """Bytes for which the connection ends without an ack."""
    return {
        "deep message": b"\x91" * 5000,
        "forged str": b"\x92\xa1a\xdb\xff\xff\xff\xff" + b"x" * 9000,
        "forged bin": b"\x92\xa1a\xc6\xff\xff\xff\xff" + b"x" * 9000,
        "never MessagePack": b"\xc1" * 100,
        "HTTP": b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    }
