"""Reading the record is itself recorded: who, when, from where, with which filters; never what
they saw.

"Without recording the recording" means: equal requests of one reader from one address within a
minute are one entry. A page that refreshes itself, or that shows the very entries which its own
refresh makes, so adds one entry a minute and no loop; a live tail counts like a list, when it
opens.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from flask import Request

from activity_center.config import Config
from activity_center.emit import Emitter
from activity_center.errors import NotRecorded
from activity_center.streams import ORGANIZATION_ID
from sidecar_api.access import DENIED
from sidecar_api.client_address import UNKNOWN, client_address, trusted
from sidecar_api.failures import Unavailable
from sidecar_api.reader import Reader
from sidecar_api.search.filters import NONE

if TYPE_CHECKING:
    from sidecar_api.access import Scope
    from sidecar_api.search import Filters

FETCH: Final = "activity_log.fetch"
FETCH_ALL: Final = "activity_log.fetch_all"
EXPORT: Final = "activity_log.export"

SAME_WITHIN: Final = 60.0
"""Seconds within which equal requests of one reader are one entry."""
OUTCOMES: Final = ("accepted", "rejected", "dropped", "errors")
_REMEMBERED: Final = 10_000
"""Requests that are remembered for that."""
MOST_TRAILS: Final = 10
TOO_OFTEN: Final = "Refused too often: further tries of this minute are not recorded one by one."
"""Said of who has used up what :data:`sidecar_api.limits.REFUSALS` allows."""
_SERVICE: Final = "activity-center-sidecar"
_RECORD_TIMEOUT: Final = 5.0
"""Seconds that an acknowledged record may take."""


def trails(scope: Scope, named: Sequence[str], opened: Sequence[str]) -> list[str]:
    """Return in whose trails it stands that a reader looked at many: a record each.

    So an organization sees who read it. Beyond :data:`MOST_TRAILS` of them, and for who sees
    everything and names none, it is one record without an organization.

    Args:
        named: organizations that the filters name; ``NONE``: what has none.
        opened: those of which a role of the reader's shows what others did there.
    """
    if named:
        read = [one for one in named if one != NONE]
    else:
        read = [] if scope.everything else list(opened)
    return read if len(read) <= MOST_TRAILS else []


def details_of(filters: Filters, scope: Scope) -> dict[str, Any]:
    """Return what a record of reading says of the filters, and whose trail it belongs to."""
    return {
        "filters": [f"{name}={value}" for name, value in filters.canonical()],
        "organizations": trails(scope, filters.values("organization"), scope.organizations),
    }


class Recording:
    """Hands the sidecar's own records to the collector.

    Args:
        config: ``sidecar.recording`` says where; without a URL nothing is recorded.
    """

    def __init__(self, config: Config) -> None:
        section = config.sidecar.recording
        self._emitter = (
            Emitter(
                section.url,
                service=_SERVICE,
                token=section.token or None,
                ca=section.ca or None,
                record_timeout=_RECORD_TIMEOUT,
            )
            if section.url
            else None
        )
        self._proxies = trusted(config)
        self._known = frozenset(config.organizations)
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, float] = OrderedDict()

    def read(
        self, reader: Reader, action: str, request: Request, details: Mapping[str, Any]
    ) -> None:
        """Record without waiting, once a minute for what is equal.

        Args:
            details: ids and filters, for ``metadata``; ``organization`` and ``resource`` (the
                id of an entry) become fields; ``organizations``: one record for each that is
                known, and one that names all others.
        """
        if self._emitter is None:
            return
        address = client_address(request, self._proxies)
        for one in self._each(details):
            if self._first(json.dumps([reader.id, address, action, one], default=str)):
                self._emitter.emit(action, **self._said(reader, action, request, one))

    def too_often(self, reader: Reader, request: Request, organizations: Sequence[str]) -> None:
        """Record that a reader is refused more often than each refusal is recorded.

        Once a minute in the trail of each configured organization, or in nobody's where none of
        them is one, from however many addresses: what is limited is how many entries one reader
        makes, who may invent as many ids as they like.

        Args:
            organizations: those that were named this time.
        """
        if self._emitter is None:
            return
        for one in [name for name in organizations if name in self._known] or [""]:
            if self._first(json.dumps([reader.id, TOO_OFTEN, one])):
                said = {"organization": one, "detail": TOO_OFTEN}
                self._emitter.emit(DENIED, **self._said(reader, DENIED, request, said))

    def _is_known(self, organization: str) -> bool:
        """Whether there is one; where the configuration names none, every id may be one."""
        if self._known:
            return organization in self._known
        return ORGANIZATION_ID.fullmatch(organization) is not None

    @property
    def on(self) -> bool:
        """Whether there is somewhere to record to."""
        return self._emitter is not None

    def must(
        self,
        reader: Reader,
        action: str,
        request: Request,
        details: Mapping[str, Any],
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Record, and return when the collector has made it durable.

        Args:
            fields: further arguments of the emitter; they replace what is said otherwise.

        Raises:
            Unavailable: it could not be recorded, so that what it is about must not happen.
        """
        if self._emitter is None:
            return
        try:
            for one in self._each(details):
                said = {**self._said(reader, action, request, one), **(fields or {})}
                self._emitter.emit(action, require_record=True, **said)
        except NotRecorded as wrong:
            raise Unavailable(
                "This has to be recorded first, and the record cannot be made now.",
                hint="Try again; if it lasts, ask the operator about the collector.",
            ) from wrong

    @property
    def note(self) -> Callable[..., object] | None:
        """Emit what the sidecar itself says, without waiting; ``None``: nothing is recorded."""
        return None if self._emitter is None else self._emitter.emit

    def stats(self) -> dict[str, int]:
        """What became of the records so far, by outcome; each number only grows."""
        told = {} if self._emitter is None else self._emitter.stats().as_dict()
        return {outcome: told[outcome] for outcome in OUTCOMES if outcome in told}

    def close(self) -> None:
        """Send what waits."""
        if self._emitter is not None:
            self._emitter.close()

    def _first(self, key: str) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._seen.get(key, -SAME_WITHIN) < SAME_WITHIN:
                return False
            self._seen[key] = now
            self._seen.move_to_end(key)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return True

    def _each(self, details: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The details of each record that is to be made.

        None of an organization names another one. One names all that do not exist: whoever asks
        for such a one must not make it appear in the log.
        """
        rest = dict(details)
        one = rest.pop("organization", None)
        named = rest.pop("organizations", None) or ([one] if one else [])
        for name in filter(self._is_known, named):
            own: dict[str, Any] = {"organization": name}
            if "filters" in rest:
                own["filters"] = [text for text in rest["filters"] if _is_of(name, text)]
            yield {**rest, **own}
        strange = [name for name in named if not self._is_known(name)]
        if strange or not named:
            yield {**rest, **({"asked_for": ", ".join(strange)} if strange else {})}

    def _said(
        self, reader: Reader, action: str, request: Request, details: Mapping[str, Any]
    ) -> dict[str, Any]:
        rest = dict(details)
        organization = rest.pop("organization", None)
        entry = rest.pop("resource", None)
        person = {
            "id": reader.id,
            "name": reader.name,
            "full_name": reader.full_name,
            "email": reader.email,
        }
        agent = request.headers.get("User-Agent", "")[:1024]
        address = client_address(request, self._proxies)
        fields: dict[str, Any] = {} if address == UNKNOWN else {"source.ip": address}
        if agent:
            fields["user_agent.original"] = agent
        if reader.token:
            fields["activity.token.name"] = reader.token
        return {
            "user": {name: value for name, value in person.items() if value},
            "organization": organization or None,
            "resource": {"type": "activity_log", **({"id": entry} if entry else {})},
            "outcome": "failure" if action == DENIED else "success",
            "origin": "ui" if reader.ambient else "api",
            "metadata": rest or None,
            **fields,
        }


def _is_of(organization: str, text: str) -> bool:
    """Whether ``text``, a filter's name and value, may stand in the trail of an organization."""
    name, _, value = text.partition("=")
    return name != "organization" or value == organization
