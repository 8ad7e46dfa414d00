"""Who sends: from a token, a Forward user, a client certificate or a listener to a sender."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

from activity_center.config import SenderConfig
from activity_center.errors import ConfigError
from collector.records import Sender

_SHA256 = re.compile(r"[0-9a-f]{64}")


def _fingerprint(text: str, where: str) -> str:
    """Normalize a SHA-256 in hex, with or without colons, to 64 lowercase digits."""
    digest = text.replace(":", "").lower()
    if not _SHA256.fullmatch(digest):
        raise ConfigError(
            "not a SHA-256 in hex (64 digits)",
            where=where,
            hint="printf %s TOKEN | sha256sum, or openssl x509 -noout -fingerprint -sha256",
        )
    return digest


class Credentials:
    """The senders of a configuration, found by what they present.

    Secrets are compared in constant time. Tokens and certificates are looked up by their
    SHA-256, so how long a look-up takes says nothing about the secret.

    Args:
        configs: the section ``senders``.

    Raises:
        ConfigError: two senders share a credential, or a digest is none.
    """

    def __init__(self, configs: Iterable[SenderConfig]) -> None:
        self._by_name: dict[str, Sender] = {}
        self._proofs: dict[str, tuple[str, ...]] = {}
        self._by_token: dict[str, Sender] = {}
        self._by_certificate: dict[str, Sender] = {}
        self._by_user: dict[bytes, tuple[bytes, Sender]] = {}
        for config in configs:
            self._add(config)

    def _add(self, config: SenderConfig) -> None:
        sender = Sender(
            name=config.name,
            sources=config.sources,
            organizations=config.organizations,
            may_assert=config.may_assert,
            quota_bytes=config.quota_bytes,
        )
        where = f"senders.{config.name}"
        self._by_name[sender.name] = sender
        self._proofs[sender.name] = (
            config.username,
            config.password,
            config.token_sha256.replace(":", "").lower(),
            config.certificate_sha256.replace(":", "").lower(),
        )
        for table, digest, name in (
            (self._by_token, config.token_sha256, "token_sha256"),
            (self._by_certificate, config.certificate_sha256, "certificate_sha256"),
        ):
            if digest:
                key = _fingerprint(digest, f"{where}.{name}")
                if key in table:
                    raise ConfigError(f"the same as of {table[key].name}", where=f"{where}.{name}")
                table[key] = sender
        if config.username:
            user = config.username.encode()
            if user in self._by_user:
                other = self._by_user[user][1].name
                raise ConfigError(f"the same as of {other}", where=f"{where}.username")
            if not config.password:
                raise ConfigError("a Forward user needs a password", where=where)
            self._by_user[user] = (config.password.encode(), sender)

    @property
    def has_users(self) -> bool:
        """Whether any sender has a Forward user, so that the handshake asks for one."""
        return bool(self._by_user)

    def by_name(self, name: str) -> Sender | None:
        """Return the sender of that name."""
        return self._by_name.get(name)

    def proves_as(self, former: Credentials, name: str) -> bool:
        """Whether a sender proves who it is by the same as with ``former`` credentials."""
        return self._proofs.get(name) == former._proofs.get(name)

    def by_token(self, token: str) -> Sender | None:
        """Return the sender whose bearer token this is."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        return self._by_token.get(digest)

    def by_certificate(self, der: bytes) -> Sender | None:
        """Return the sender of a client certificate (DER) that TLS has verified."""
        return self._by_certificate.get(hashlib.sha256(der).hexdigest())

    def by_user(self, username: bytes, salt: bytes, digest: bytes) -> Sender | None:
        """Return the sender of a Forward user.

        Args:
            username: as sent in PING.
            salt: what HELO gave as ``auth``.
            digest: hex SHA-512 of salt, username and password, as sent in PING.
        """
        # An unknown user costs as much time as a known one.
        password, sender = self._by_user.get(username, (b"\0", None))
        due = hashlib.sha512(salt + username + password).hexdigest().encode()
        return sender if hmac.compare_digest(due, digest) else None
