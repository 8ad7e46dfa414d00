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

from activity_center.config import Organization
from activity_center.streams import LENSES, ORGANIZATION_ID, stream_name
from activity_center.vocabulary import SCHEMA_VERSION, Action, actions
from collector.normalize.changes import difference, wrap
from collector.normalize.refused import Refused
from collector.normalize.timestamps import FUTURE_LIMIT, PAST_LIMIT, Moment, from_nanoseconds, parse
from collector.normalize.useragent import parsed
from collector.records import Sender

_PEOPLE: Final = ("target", "effective")
_RELATED: Final = (
    ("ip", "source", ("ip",)),
    ("ip", "client", ("ip",)),
    ("hosts", "host", ("name", "hostname")),
)
"""(key of ``related``, group, its fields)."""
MAX_IDS: Final = 10_000
"""Organization ids are the senders': no more than this many are remembered."""


@dataclass(slots=True)
class Context:
    """What all activities of one batch share."""

    sender: Sender
    received: Moment

    @classmethod
    def of(cls, sender: Sender, received_ns: int) -> Context:
        """Return the context of a batch received at ``received_ns`` (Unix ns)."""
        return cls(sender, from_nanoseconds(received_ns))


class _Known:
    """A catalogue entry, laid out for the hot path."""

    __slots__ = (
        "catalogued",
        "category",
        "kind",
        "lens",
        "outcome",
        "resource",
        "result",
        "retention",
        "severity",
        "type",
        "types",
    )

    def __init__(self, action: Action | None, lens: str = "audit") -> None:
        self.catalogued = action is not None
        self.lens: str = action.lens if action else lens
        self.type: str = action.type if action else "Uncatalogued"
        self.kind: str = action.kind if action else "event"
        self.category = list(action.category) if action else []
        self.types = list(action.event_type) if action else []
        self.severity: int = action.severity if action else 0
        self.resource: str = (action.resource_type if action else "") or ""
        self.outcome: str = (action.outcome if action else None) or "unknown"
        self.result: str | None = action.result if action else None
        self.retention: str | None = action.retention_class if action else None


class Normalizer:
    """Completes mapped activities.

    Args:
        organizations: what the installation knows, by organization id.
        plans: plan name -> retention class.
        default_class: retention class of everyone else.
    """

    def __init__(
        self,
        organizations: Mapping[str, Organization],
        plans: Mapping[str, str],
        default_class: str,
    ) -> None:
        self._catalogue = {name: _Known(action) for name, action in actions().items()}
        self._uncatalogued = {lens: _Known(None, lens) for lens in LENSES}
        self._classes = {
            id_: plans.get(one.plan, default_class) for id_, one in organizations.items()
        }
        self._own = frozenset(id_ for id_, one in organizations.items() if one.own_streams)
        self._default_class = default_class
        self._streams: dict[tuple[str, str, str | None], str] = {}
        self._receivers: dict[tuple[bool, str, str], bytes] = {}
        self._ids: set[str] = set()

    def complete(
        self, activity: dict[str, Any], context: Context, transport_time: int | None
    ) -> tuple[str, int, bytes]:
        """Complete ``activity`` in place.

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
            ours = activity["activity"] = {}
        known = self._catalogue.get(action)
        if known is None:
            lens = ours.get("lens")
            known = self._uncatalogued[lens if type(lens) is str and lens in LENSES else "audit"]
        self._catalogue_defaults(event, ours, known)
        organization = self._organization(activity, context.sender)
        ms = self._time(activity, event, ours, context.received, transport_time)
        self._states(ours)
        self._people(activity, ours, context.sender)
        agent = activity.get("user_agent")
        if agent is not None and "name" not in agent:
            original = agent.get("original")
            if type(original) is str:
                activity["user_agent"] = {**parsed(original), **agent}
        retention = known.retention or self._classes.get(organization or "", self._default_class)
        lens = ours["lens"]
        receiver = self._receiver(known.catalogued, retention, context.sender.name)
        return self._stream(lens, retention, organization), ms, receiver

    def _receiver(self, catalogued: bool, retention: str, sender: str) -> bytes:
        key = (catalogued, retention, sender)
        text = self._receivers.get(key)
        if text is None:
            members = {
                "catalogued": catalogued,
                "retention": {"class": retention},
                "schema_version": SCHEMA_VERSION,
                "sender": sender,
            }
            text = self._receivers[key] = orjson.dumps(members)[1:-1] + b","
        return text

    def _stream(self, lens: str, retention: str, organization: str | None) -> str:
        key = (lens, retention, organization if organization in self._own else None)
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = stream_name(*key)
        return stream

    @staticmethod
    def _catalogue_defaults(event: dict[str, Any], ours: dict[str, Any], known: _Known) -> None:
        lens = ours.get("lens")
        if lens is None:
            ours["lens"] = known.lens
        elif lens not in LENSES:
            ours["lens"] = known.lens
            ours["overflow"] = {"activity.lens": lens}
            ours["overflow_fields"] = ["activity.lens"]
        if "type" not in ours:
            ours["type"] = known.type
        if "kind" not in event:
            event["kind"] = known.kind
        if "category" not in event:
            event["category"] = known.category
        if "type" not in event:
            event["type"] = known.types
        if "severity" not in event:
            event["severity"] = known.severity
        if "outcome" not in event:
            event["outcome"] = known.outcome
        if known.result is not None and "result" not in ours:
            ours["result"] = known.result
        result = ours.get("result")
        if result == "denied":
            types = event["type"]
            if type(types) is list and "denied" not in types:
                event["type"] = [*types, "denied"]
        if known.resource:
            resource = ours.get("resource")
            if resource is None:
                ours["resource"] = {"type": known.resource}
            elif "type" not in resource:
                resource["type"] = known.resource

    def _organization(self, activity: dict[str, Any], sender: Sender) -> str | None:
        organization = activity.get("organization")
        id_ = organization.get("id") if type(organization) is dict else None
        if id_ is None:
            id_ = sender.only_organization
            if id_ is not None:
                activity["organization"] = {**(organization or {}), "id": id_}
            return id_
        if type(id_) is not str or not self._is_id(id_):
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
        if text in self._ids:
            return True
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
        received: Moment,
        transport_time: int | None,
    ) -> int:
        claimed = activity.get("@timestamp")
        origin = "event"
        moment = parse(claimed) if claimed is not None else None
        if moment is None and transport_time is not None:
            moment, origin = _transport(transport_time), "transport"
        if moment is not None and not (
            received.ms - PAST_LIMIT <= moment.ms <= received.ms + FUTURE_LIMIT
        ):
            claimed, moment = (moment.text if claimed is None else claimed), None
        if moment is None:
            moment, origin = received, "receipt"
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
        if old is not None:
            old = ours["old_value"] = wrap(old)
        if new is not None:
            new = ours["new_value"] = wrap(new)
        if old is None or new is None:
            return
        if "changes" not in ours:
            ours["changes"] = difference(old, new)
        if "modified_fields" not in ours and type(ours["changes"]) is list:
            ours["modified_fields"] = [
                one["field"] for one in ours["changes"] if type(one) is dict and "field" in one
            ]

    @staticmethod
    def _people(activity: dict[str, Any], ours: dict[str, Any], sender: Sender) -> None:
        """``related.*`` and whether an approver counts as authenticated."""
        users: dict[str, None] = {}
        user = activity.get("user")
        if user is not None:
            _names(user, users)
            for other in _PEOPLE:
                if other in user:
                    _names(user[other], users)
        if "initiator" in ours:
            _names(ours["initiator"], users)
        approver = ours.get("approver")
        if approver is not None:
            _names(approver, users)
            if type(approver) is dict:
                approver["authenticated"] = "approver" in sender.may_assert
        found: dict[str, list[str]] = {"user": list(users)} if users else {}
        for key, place, names in _RELATED:
            group = activity.get(place)
            if group is not None:
                for name in names:
                    value = group.get(name)
                    if type(value) is str:
                        values = found.setdefault(key, [])
                        if value not in values:
                            values.append(value)
        if not found:
            return
        related = activity.get("related")
        if related is None:
            activity["related"] = found
            return
        for key, more in found.items():
            given = related.get(key)
            related[key] = more if given is None else _merged(given, more)


def _transport(unix: int) -> Moment | None:
    try:
        return from_nanoseconds(unix)
    except OverflowError:
        return None


def _names(user: Any, into: dict[str, None]) -> None:
    if type(user) is not dict:
        return
    for key in ("id", "name", "email"):
        value = user.get(key)
        if type(value) is str:
            into[value] = None


def _merged(given: Any, found: list[str]) -> list[Any]:
    values = given if type(given) is list else [given]
    return [*values, *(value for value in found if value not in values)]
