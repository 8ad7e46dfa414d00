"""Small pieces of the wire: the acknowledgement, and strangers told apart."""

from __future__ import annotations

from typing import Final

_ACK: Final = b"\x81\xa3ack"

_HTTP: Final = ("the peer speaks HTTP", "post to the address under collector.http")
_JSON: Final = (
    "the peer sends JSON",
    "use Forward (MessagePack), or post JSON to the address under collector.http",
)
_FOREIGN: Final = {
    b"\x16\x03": ("the peer speaks TLS, this listener does not", "give the listener tls"),
    b"GET ": _HTTP,
    b"POST ": _HTTP,
    b"PUT ": _HTTP,
    b"{": _JSON,
    b"[": _JSON,
    b"<": ("the peer sends syslog", "put Fluent Bit with its syslog input between"),
}


def ack(chunk: bytes) -> bytes:
    """Return the acknowledgement of a chunk: a map with the id as *str*, whatever it came as.

    Fluent Bit does not take *bin* there.
    """
    size = len(chunk)
    if size < 32:
        header = bytes((0xA0 | size,))
    elif size < 256:
        header = b"\xd9" + bytes((size,))
    else:
        header = b"\xda" + size.to_bytes(2, "big")
    return _ACK + header + chunk


def foreign(first: bytes) -> tuple[str, str] | None:
    """Tell by the first bytes of a connection which other protocol the peer speaks.

    Returns:
        What it is and the next step; ``None`` if it may be Forward.
    """
    for start, told in _FOREIGN.items():
        if first.startswith(start):
            return told
    return None
