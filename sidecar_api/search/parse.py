"""From query parameters to a checked set of filters."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from activity_center.streams import ORGANIZATION_ID
from sidecar_api.failures import BadRequest
from sidecar_api.moments import written
from sidecar_api.search import clauses, times
from sidecar_api.search.filters import (
    BY_NAME,
    FILTERS,
    MOST_LOOKED_FOR,
    MOST_VALUES,
    MOST_WORDS,
    NONE,
    Filter,
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters that all hold; made by :meth:`parse`.

    Attributes:
        given: filter name -> its checked values, in the order of the declaration.
        start: earliest ``@timestamp``, included.
        end: latest ``@timestamp``, not included.
    """

    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def parse(cls, args: Mapping[str, Sequence[str]]) -> Filters:
        """Read the filters among the parameters of a request; others are left alone.

        An empty value is refused: left out by mistake, it would show everything.

        Args:
            args: parameter -> its values (a ``MultiDict`` will do).

        Raises:
            BadRequest: a value is wrong; names the parameter.
        """
        given: dict[str, tuple[str, ...]] = {}
        for one in FILTERS:
            values = _values(one, args)
            if values:
                given[one.name] = values
        start = _moment(given, "from")
        end = _moment(given, "to")
        times.check(start, end, next(iter(given.get("range", ())), None))
        return cls(MappingProxyType(given), start, end)

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of one filter; none when it is not given."""
        return self.given.get(name, ())

    def limits(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Return the time range: its start, included, and its end, not included.

        Args:
            now: end of the presets.
        """
        if "range" in self.given:
            return now - times.PRESETS[self.given["range"][0]], None
        return self.start, self.end

    def clauses(self, now: datetime) -> dict[str, dict[str, Any]]:
        """Return one query clause a filter, by its name; the time range under ``range``."""
        made = {
            name: clauses.build(BY_NAME[name], values)
            for name, values in self.given.items()
            if BY_NAME[name].kind not in ("time", "preset")
        }
        start, end = self.limits(now)
        limits = {}
        if start:
            limits["gte"] = written(start)
        if end:
            limits["lt"] = written(end)
        if limits:
            made["range"] = {"range": {"@timestamp": limits}}
        return made

    def canonical(self) -> list[tuple[str, str]]:
        """Return name and value of each filter, the same list for the same filters."""
        return [(name, value) for name, values in self.given.items() for value in values]


def _values(one: Filter, args: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    getlist = getattr(args, "getlist", None)
    raw = getlist(one.name) if getlist else args.get(one.name, ())
    if len(raw) > MOST_VALUES:
        raise BadRequest(f"At most {MOST_VALUES} values.", parameter=one.name)
    if not all(value.strip() for value in raw):
        raise BadRequest(f"{one.name} is empty.", parameter=one.name, hint=f"Leave {one.name} out.")
    if one.part and sum(map(len, raw)) > MOST_LOOKED_FOR:
        raise BadRequest(
            f"At most {MOST_LOOKED_FOR} characters in all values of {one.name}.",
            parameter=one.name,
            hint="Filter by resource_id or resource_name, which are looked up whole.",
        )
    checked = {_checked(one, value) for value in raw}
    if len(checked) > 1 and not one.repeats:
        raise BadRequest("It can be given only once.", parameter=one.name)
    return tuple(sorted(checked))


def _checked(one: Filter, value: str) -> str:
    if len(value) > one.longest:
        raise BadRequest(
            f"At most {one.longest} characters; this has {len(value)}.", parameter=one.name
        )
    if one.kind == "text":
        words = value.split()
        if len(words) > MOST_WORDS:
            raise BadRequest(f"At most {MOST_WORDS} words.", parameter=one.name)
        return " ".join(words)
    if one.kind == "contains":
        return value.strip()
    if one.kind == "time":
        return written(times.parse(value, parameter=one.name, end=one.name == "to"))
    if one.repeats and value == NONE:
        return value
    if one.kind == "ip":
        return _network(value)
    if one.name == "organization" and not ORGANIZATION_ID.fullmatch(value):
        raise BadRequest(
            "This can be no organization's id.",
            parameter=one.name,
            hint="Lower-case letters, digits and _, at most 63; GET /api/v1/organizations lists "
            "those known.",
        )
    if one.choices and value not in one.choices:
        # The value is not repeated: it may be long, and the client knows it.
        known = ", ".join(one.choices)
        near = _near(value, one.choices)
        raise BadRequest(
            f"This value is not one of {known}.",
            parameter=one.name,
            hint=f"Did you mean {near}?" if near else None,
        )
    return value


def _near(value: str, known: Iterable[str]) -> str:
    """The closed value that was probably meant: "failed" is failure, "UI" is ui."""
    close = get_close_matches(value.casefold(), list(known), n=1, cutoff=0.7)
    return close[0] if close else ""


def _network(value: str) -> str:
    try:
        if "%" in value:
            raise ValueError
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise BadRequest(
            "This is no IP address and no network.",
            parameter="ip",
            hint="Such as 203.0.113.24, 203.0.113.0/24 or 2001:db8::/32.",
        ) from None
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if single else str(network)


def _moment(given: Mapping[str, tuple[str, ...]], name: str) -> datetime | None:
    values = given.get(name)
    return datetime.fromisoformat(values[0]) if values else None
