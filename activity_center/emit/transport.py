"""What carries events away: the interface, its outcome, and the address that picks one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from activity_center.address import is_loopback
from activity_center.errors import ConfigError

FORWARD_PORT: Final = 24224
Event = dict[str, Any]


@dataclass(slots=True)
class Outcome:
    """What became of the first events of a batch; those beyond ``done`` are tried again.

    Attributes:
        done: number of events, from the front, that must not be sent again.
        accepted: of these, confirmed durable by the collector.
        rejected: of these, refused by the collector for good.
        lost: of these, given up here (they cannot be packed).
        error: a sentence without secrets when the attempt failed, else ``None``.
        retry_after: seconds the collector asks us to wait, or ``None``.
        reasons: position in the batch -> reason, for those rejected.
    """

    done: int
    accepted: int = 0
    rejected: int = 0
    lost: int = 0
    error: str | None = None
    retry_after: float | None = None
    reasons: dict[int, str] = field(default_factory=dict)


class Transport(Protocol):
    """Used by one thread at a time. No method raises for what the network does."""

    batch_events: int
    """The most events of one :meth:`send`."""
    batch_bytes: int
    """The most bytes (roughly) of one :meth:`send`; one event alone may be larger."""

    def send(self, events: list[Event]) -> Outcome:
        """Send the events in order, and say what became of them."""

    def close(self) -> None:
        """Close the connection in good order."""

    def abandon(self) -> None:
        """Close our copy of the descriptor only: after a fork the parent still uses it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address.

    Attributes:
        scheme: ``forward``, ``unix``, ``http`` or ``https``.
        host: name or literal address; the path of the socket for ``unix``.
        port: 0 for ``unix``.
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse(url: str) -> Address:
    """Return the checked address of ``url``.

    Raises:
        ConfigError: a scheme we do not speak, credentials in the address, or an address
            where events could be read or lost on the way without anyone knowing.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except (ValueError, AttributeError, TypeError):
        raise ConfigError("the address cannot be read", where="Emitter url", hint=_FORMS) from None
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            "the address must not carry a user or password",
            where="Emitter url",
            hint="pass token= or token_file=",
        )
    if parts.scheme == "unix":
        if parts.netloc or not parts.path.startswith("/"):
            raise ConfigError("unix:// needs an absolute path", where=url, hint=_FORMS)
        return Address("unix", parts.path, 0)
    if not host or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError("the address must be scheme://host:port", where=url, hint=_FORMS)
    if parts.scheme == "forward":
        return _forward(host, FORWARD_PORT if port is None else port)
    if parts.scheme == "https":
        return Address("https", host, 443 if port is None else port)
    if parts.scheme == "http":
        if not is_loopback(host):
            raise ConfigError(
                "plain http would show token and events to the network",
                where=url,
                hint="use https:// beyond this machine",
            )
        return Address("http", host, 80 if port is None else port)
    raise ConfigError(f"the scheme {parts.scheme!r} is not spoken", where=url, hint=_FORMS)


def _forward(host: str, port: int) -> Address:
    if not is_loopback(host):
        raise ConfigError(
            "forward:// stays on this machine: fluent-logger has no TLS, no shared key and"
            " no acknowledgement, so events could be read and lost on the way unnoticed",
            where=f"forward://{host}:{port}",
            hint="use https:// to the collector, or forward:// to a local Fluent Bit",
        )
    if ":" in host:
        raise ConfigError(
            "fluent-logger speaks IPv4 only",
            where=f"forward://[{host}]:{port}",
            hint="use forward://127.0.0.1 or unix:///path",
        )
    return Address("forward", "127.0.0.1" if host == "localhost" else host, port)


_FORMS: Final = (
    "forward://127.0.0.1:24224, unix:///path, https://host:port or http://127.0.0.1:port"
)
