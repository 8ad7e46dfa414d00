"""The normalizer: defaults, catalogue, time, place, related values, difference.

:meth:`Normalizer.complete` works on one mapped activity, a nested dict that the
mapping made and nobody else holds. It is the hot path: one pass, each rule pays only
when its field is present.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from activity_center.agents import Policies, shipped_policies
from activity_center.config import Organization
from activity_center.streams import LENSES, ORGANIZATION_ID, stream_name
from activity_center.vocabulary import SCHEMA_VERSION, Action, actions
from collector.normalize.changes import difference, wrap
from collector.normalize.countries import Countries
from collector.normalize.people import tell_people
from collector.normalize.policy import policy_at_receipt
from collector.normalize.refused import Refused
from collector.normalize.timestamps import FUTURE_LIMIT, PAST_LIMIT, Moment, from_nanoseconds, parse
from collector.normalize.useragent import parsed
from collector.records import Sender

MAX_IDS: Final = 10_000
"""Organization ids are the senders': no more than this many are remembered."""
_NOTHING: Final[dict[str, Any]] = {}


@dataclass(slots=True)
class Context:
    """What all activities of one batch share.

    Attributes:
        oldest: the oldest time that is believed, Unix ms.
        latest: the latest.
    """

    sender: Sender
    received: Moment
    oldest: int
    latest: int

    @classmethod
    def of(cls, sender: Sender, received_ns: int) -> Context:
        """Return the context of a batch received at ``received_ns`` (Unix ns)."""
        received = from_nanoseconds(received_ns)
        return cls(sender, received, received.ms - PAST_LIMIT, received.ms + FUTURE_LIMIT)


class _Known:
    """A catalogue entry, laid out for the hot path.

    Attributes:
        event: what stands in the group ``event`` unless the producer says otherwise.
        ours: the same of the group ``activity``.
    """

    __slots__ = ("catalogued", "event", "lens", "ours", "resource", "retention")

    def __init__(self, action: Action | None, lens: str = "audit") -> None:
        self.catalogued = action is not None
        self.lens: str = action.lens if action else lens
        self.resource: str = (action.resource_type if action else "") or ""
        self.retention: str | None = action.retention_class if action else None
        self.event: dict[str, Any] = {
            "kind": action.kind if action else "event",
            "category": list(action.category) if action else [],
            "type": list(action.event_type) if action else [],
            "severity": action.severity if action else 0,
            "outcome": (action.outcome if action else None) or "unknown",
        }
        self.ours: dict[str, Any] = {
            "lens": self.lens,
            "type": action.type if action else "Uncatalogued",
        }
        if action is not None and action.result is not None:
            self.ours["result"] = action.result


class Normalizer:
    """Completes mapped activities.

    Args:
        organizations: what the installation knows, by organization id.
        plans: plan name -> retention class.
        default_class: retention class of everyone else.
        countries: tells the country of an address where the producer does not; ``None``: nothing
            does.
        policies: approval policies that proposals are told; ``None``: the shipped ones.
    """

    def __init__(
        self,
        organizations: Mapping[str, Organization],
        plans: Mapping[str, str],
        default_class: str,
        countries: Countries | None = None,
        policies: Policies | None = None,
    ) -> None:
        self._catalogue = {name: _Known(action) for name, action in actions().items()}
        self._uncatalogued = {lens: _Known(None, lens) for lens in LENSES}
        self._classes = {
            id_: plans.get(one.plan, default_class) for id_, one in organizations.items()
        }
        self._own = frozenset(id_ for id_, one in organizations.items() if one.own_streams)
        self._default_class = default_class
        self._countries = countries
        self._policies = policies or shipped_policies()
        self._routes: dict[tuple[_Known, str, str | None, str], tuple[str, bytes]] = {}
        self._ids: set[str] = set()

    def complete(
        self, activity: dict[str, Any], context: Context, transport_time: int | None
    ) -> tuple[str, int, bytes]:
        """Complete ``activity`` in place; groups inside it are replaced where they change.

        Returns:
            The data stream, ``@timestamp`` in Unix ms, and what this receiver says of the
            activity: members of the object ``activity`` as JSON text with a comma at the
            end. They are kept apart since they are not part of the canonical bytes.

        Raises:
            Refused: no action, or an organization this sender may not send for.
        """
        event = activity.get("event")
        action = event.get("action") if type(event) is dict else None
        if type(action) is not str or not action or type(event) is not dict:
            raise Refused("invalid", "event.action is missing or not a text", "/event/action")
        ours = activity.get("activity")
        if type(ours) is not dict:
            ours = _NOTHING
        known = self._catalogue.get(action)
        if known is None:
            lens = ours.get("lens")
            known = self._uncatalogued[lens if type(lens) is str and lens in LENSES else "audit"]
        # Twice, so that the producer's keys come first: the overflow is listed in their order.
        event = activity["event"] = {**event, **known.event, **event}
        ours = activity["activity"] = {**ours, **known.ours, **ours}
        return self._completed(activity, event, ours, known, context, transport_time)

    def quick(
        self,
        activity: dict[str, Any],
        stamp: tuple[dict[str, Any], dict[str, Any]],
        context: Context,
        transport_time: int | None,
    ) -> tuple[str, int, bytes] | None:
        """:meth:`complete` for the copy of a record that may be an activity as it is.

        Whether it is one shows in the end, by the schema
        (:attr:`collector.validate.Validator.is_plain`). May raise anything where it is none.

        Args:
            stamp: see :class:`collector.mapping.Source`.

        Returns:
            ``None`` where the schema could not tell, or the action is not in the catalogue.
        """
        organization = activity.get("organization")
        if organization is not None and type(organization) is not dict:
            return None  # what stands in its place would be lost
        event = activity["event"]
        ours = activity.get("activity", _NOTHING)
        known = self._catalogue.get(event["action"])
        if known is None or "module" in event or "timestamp_source" in ours or "approver" in ours:
            return None
        event = activity["event"] = {**known.event, **stamp[0], **event, **stamp[1]}
        ours = activity["activity"] = {**known.ours, **ours}
        return self._completed(activity, event, ours, known, context, transport_time)

    def _completed(
        self,
        activity: dict[str, Any],
        event: dict[str, Any],
        ours: dict[str, Any],
        known: _Known,
        context: Context,
        transport_time: int | None,
    ) -> tuple[str, int, bytes]:
        """What :meth:`complete` does once the catalogue's values are in."""
        lens = ours["lens"]
        if lens is not known.lens and lens not in LENSES:
            _set_lens(ours, known.lens)
        if ours.get("result") == "denied":
            types = event["type"]
            if type(types) is list and "denied" not in types:
                event["type"] = [*types, "denied"]
        if known.resource:
            resource = ours.get("resource")
            if resource is None:
                ours["resource"] = {"type": known.resource}
            elif "type" not in resource:
                ours["resource"] = {**resource, "type": known.resource}
        sender = context.sender
        organization = self._organization(activity, sender)
        claimed = activity.get("@timestamp")
        moment = parse(claimed) if type(claimed) is str else None
        if moment is not None and context.oldest <= moment[0] <= context.latest:
            ms, activity["@timestamp"], offset = moment
            ours["timestamp_source"] = "event"
            if offset and "timezone" not in event:
                event["timezone"] = offset
        else:
            ms = self._time(activity, event, ours, context, transport_time)
        if "old_value" in ours or "new_value" in ours:
            self._states(ours)
        tell_people(activity, ours, sender)
        agent = activity.get("user_agent")
        if agent is not None and "name" not in agent:
            original = agent.get("original")
            if type(original) is str:
                activity["user_agent"] = {**parsed(original), **agent}
        if self._countries is not None:
            self._countries.tell(activity)
        key = (known, ours["lens"], organization, sender.name)
        route = self._routes.get(key)
        if route is None:
            route = self._route(*key)
        if "proposal" not in ours:
            return route[0], ms, route[1]
        told = policy_at_receipt(self._policies, activity, event, ours, organization)
        return route[0], ms, route[1] + told

    def _route(
        self, known: _Known, lens: str, organization: str | None, sender: str
    ) -> tuple[str, bytes]:
        """The stream, and what the receiver says."""
        retention = known.retention or self._classes.get(organization or "", self._default_class)
        members = {
            "catalogued": known.catalogued,
            "retention": {"class": retention},
            "schema_version": SCHEMA_VERSION,
            "sender": sender,
        }
        owner = organization if organization in self._own else None
        route = stream_name(lens, retention, owner), orjson.dumps(members)[1:-1] + b","
        if len(self._routes) >= MAX_IDS:
            self._routes.clear()
        self._routes[(known, lens, organization, sender)] = route
        return route

    def _organization(self, activity: dict[str, Any], sender: Sender) -> str | None:
        organization = activity.get("organization")
        id_ = organization.get("id") if type(organization) is dict else None
        if id_ is None:
            id_ = sender.only_organization
            if id_ is not None:
                activity["organization"] = {**(organization or {}), "id": id_}
            return id_
        if type(id_) is not str or not (id_ in self._ids or self._is_id(id_)):
            raise Refused(
                "invalid",
                f"organization.id must match {ORGANIZATION_ID.pattern}",
                "/organization/id",
            )
        if sender.organizations is not None and id_ not in sender.organizations:
            raise Refused(
                "organization_not_allowed",
                f"sender {sender.name} may not send for this organization",
                "/organization/id",
            )
        return id_

    def _is_id(self, text: str) -> bool:
        if ORGANIZATION_ID.fullmatch(text) is None:
            return False
        if len(self._ids) < MAX_IDS:
            self._ids.add(text)
        return True

    @staticmethod
    def _time(
        activity: dict[str, Any],
        event: dict[str, Any],
        ours: dict[str, Any],
        context: Context,
        transport_time: int | None,
    ) -> int:
        claimed = activity.get("@timestamp")
        origin = "event"
        moment = parse(claimed) if claimed is not None else None
        if moment is None and transport_time is not None:
            moment, origin = _transport(transport_time), "transport"
        if moment is not None and not (context.oldest <= moment.ms <= context.latest):
            claimed, moment = (moment.text if claimed is None else claimed), None
        if moment is None:
            moment, origin = context.received, "receipt"
        if claimed is not None and origin != "event":
            ours["claimed_timestamp"] = claimed if type(claimed) is str else str(claimed)
        activity["@timestamp"] = moment.text
        ours["timestamp_source"] = origin
        if moment.offset and "timezone" not in event:
            event["timezone"] = moment.offset
        return moment.ms

    @staticmethod
    def _states(ours: dict[str, Any]) -> None:
        """Wrap old and new; list what changed when the producer sent only the states."""
        old, new = ours.get("old_value"), ours.get("new_value")
        if old is None and new is None:
            ours.pop("old_value", None)
            ours.pop("new_value", None)
            return
        if old is not None and type(old) is not dict:
            old = ours["old_value"] = wrap(old)
        if new is not None and type(new) is not dict:
            new = ours["new_value"] = wrap(new)
        if old is None or new is None:
            return
        if "changes" not in ours:
            changes = ours["changes"] = difference(old, new)
            if "modified_fields" not in ours:
                ours["modified_fields"] = [one["field"] for one in changes]
        elif "modified_fields" not in ours and type(ours["changes"]) is list:
            ours["modified_fields"] = [
                one["field"] for one in ours["changes"] if type(one) is dict and "field" in one
            ]


def _set_lens(ours: dict[str, Any], lens: str) -> None:
    """Put the catalogue's lens in place of one that there is not."""
    claimed = ours["lens"]
    ours["lens"] = lens
    if claimed is not None:
        ours["overflow"] = {"activity.lens": claimed}
        ours["overflow_fields"] = ["activity.lens"]


def _transport(unix: int) -> Moment | None:
    try:
        return from_nanoseconds(unix)
    except OverflowError:
        return None
