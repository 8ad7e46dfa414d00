"""HELO, PING, PONG (Forward Protocol Specification v1, "Handshake Messages").

Texts in PING may be any bytes: Fluent Bit's salt is 16 random bytes sent as *str*.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

import msgpack

from activity_center.errors import ProtocolError
from collector.receive.credentials import Credentials
from collector.records import Sender

_HINT = "the shared key or the user differs from ours; see the sender's security settings"


class AuthenticationError(ProtocolError):
    """The peer is not who it must be."""


class Handshake:
    """The server's side of one handshake.

    Args:
        shared_key: of the listener.
        hostname: our name.
        credentials: for users.
        anonymous: the sender of peers that name no user, or ``None``: a user is demanded.
    """

    def __init__(
        self, shared_key: str, hostname: str, credentials: Credentials, anonymous: Sender | None
    ) -> None:
        self._key = shared_key.encode()
        self._hostname = hostname.encode()
        self._credentials = credentials
        self._anonymous = anonymous
        self._nonce = secrets.token_bytes(16)
        self._salt = secrets.token_bytes(16) if credentials.has_users else b""

    def helo(self) -> bytes:
        """Return HELO: our nonce, and a salt when users are known."""
        helo = ["HELO", {"nonce": self._nonce, "auth": self._salt, "keepalive": True}]
        return bytes(msgpack.packb(helo))

    def answer(self, message: bytes) -> tuple[Sender, bytes]:
        """Check PING; return the sender and the PONG that lets it in.

        Raises:
            ProtocolError: the message is no PING.
            AuthenticationError: the peer is refused; send :func:`refusal` and close.
        """
        ping = self._read(message)
        _, client, salt, digest, username, password = ping
        due = hashlib.sha512(salt + client + self._nonce + self._key).hexdigest().encode()
        if not hmac.compare_digest(due, digest):
            raise AuthenticationError("shared_key mismatch", hint=_HINT)
        sender = self._anonymous
        if username and self._salt:
            sender = self._credentials.by_user(username, self._salt, password)
        if sender is None:
            raise AuthenticationError("username/password mismatch", hint=_HINT)
        ours = hashlib.sha512(salt + self._hostname + self._nonce + self._key).hexdigest()
        pong = ["PONG", True, "", self._hostname.decode("utf-8", "replace"), ours]
        return sender, bytes(msgpack.packb(pong))

    @staticmethod
    def _read(message: bytes) -> list[bytes]:
        try:
            ping: Any = msgpack.unpackb(message, raw=True, strict_map_key=False)
        except (ValueError, msgpack.UnpackException, RecursionError) as wrong:
            raise ProtocolError("PING is not readable") from wrong
        if not isinstance(ping, list) or not ping or ping[0] != b"PING":
            raise ProtocolError(
                "events before the handshake",
                hint="this listener has a shared_key: set the same in the sender",
            )
        if len(ping) == 4:  # without users the last two may be missing
            ping += [b"", b""]
        if len(ping) != 6:
            raise ProtocolError("PING has 6 elements")
        texts = [b"" if one is None else one for one in ping]
        if not all(isinstance(one, bytes) for one in texts):
            raise ProtocolError("PING has strings only")
        return texts


def refusal(reason: str) -> bytes:
    """Return the PONG that turns a peer away."""
    return bytes(msgpack.packb(["PONG", False, reason, "", ""]))
