"""An activity as an OCSF 1.9.0 event (Open Cybersecurity Schema Framework).

Which class and activity an action is stands in ``activity_center/vocabulary/ocsf.yml``; here is
where its fields go. What has no place in the class is in ``unmapped``, under our own names, so
that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import orjson

from activity_center.vocabulary import ocsf
from activity_center.vocabulary.ocsf import OcsfKind
from sidecar_api.export.tree import tree
from sidecar_api.moments import milliseconds

MEDIA_TYPE: Final = "application/x-ndjson"
PRODUCT: Final = {"name": "Activity Center", "vendor_name": "Activity Center"}
UNKNOWN: Final = "unknown"
"""Name of an actor, target or endpoint that the entry does not give and the class requires."""

_SEVERITIES: Final = ("Unknown", "Informational", "Low", "Medium", "High", "Critical")
_STATUS: Final = {"success": (1, "Success"), "failure": (2, "Failure"), "unknown": (0, "Unknown")}
_METHODS: Final = frozenset(
    ("OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "PATCH")
)
_PLACED: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("metadata.uid",),
    "@timestamp": ("time",),
    "message": ("message",),
    "event.action": ("metadata.event_code",),
    "event.severity": ("severity_id",),
    "event.outcome": ("status",),
    "event.reason": ("status_detail",),
    "event.start": ("start_time",),
    "event.end": ("end_time",),
    "event.ingested": ("metadata.logged_time",),
    "event.provider": ("metadata.log_provider",),
    "event.dataset": ("metadata.log_name",),
    "event.sequence": ("metadata.sequence",),
    "user.id": ("actor.user.uid", "user.uid"),
    "user.name": ("actor.user.name", "user.name"),
    "user.full_name": ("actor.user.full_name", "user.full_name"),
    "user.domain": ("actor.user.domain", "user.domain"),
    "organization.id": ("metadata.tenant_uid",),
    "organization.name": ("actor.user.org.name", "group.name"),
    "session.id": ("actor.session.uid", "session.uid"),
    "source.ip": ("src_endpoint.ip",),
    "source.domain": ("src_endpoint.hostname",),
    "http.request.id": ("http_request.uid",),
    "http.request.referrer": ("http_request.referrer",),
    "http.response.status_code": ("http_response.code",),
    "user_agent.original": ("http_request.user_agent",),
    "url.original": ("http_request.url.url_string",),
    "url.path": ("http_request.url.path",),
    "url.domain": ("http_request.url.hostname",),
    "url.query": ("http_request.url.query_string",),
}
"""Our field -> where its value stands in the event, if the class has such a place and the value
fits it. What stands in none of them is in ``unmapped``."""


def line(activity: Mapping[str, Any]) -> bytes:
    """Return the event of an activity as a line of JSON, with its line end."""
    return orjson.dumps(event(activity), option=orjson.OPT_APPEND_NEWLINE)


def event(activity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event.

    Args:
        activity: as the API shows it.
    """
    about = _of(activity, "event")
    kind = ocsf.kind(str(about.get("action", "")), about.get("type") or ())
    finding = kind.class_key == "detection_finding"
    level = _level(about.get("severity")) or 0
    made: dict[str, Any] = {
        "class_uid": kind.class_uid,
        "class_name": kind.class_name,
        "category_uid": kind.category_uid,
        "category_name": kind.category_name,
        "activity_id": kind.activity_id,
        "activity_name": kind.activity_name,
        "type_uid": kind.type_uid,
        "type_name": f"{kind.class_name}: {kind.activity_name}",
        "time": _millis(activity.get("@timestamp")) or 0,
        "severity_id": level,
        "severity": _SEVERITIES[level],
        "metadata": _metadata(activity, about),
        "message": activity.get("message"),
        "status_detail": about.get("reason"),
        "start_time": _millis(about.get("start")),
        "end_time": _millis(about.get("end")),
        "unmapped": None,  # its place in the line
    }
    if kind.activity_id == 99:  # OCSF wants the source's own word for "other"
        made["activity_name"] = about.get("action")
    if finding:
        made["status_id"], made["status"] = (
            (2, "In Progress") if kind.activity_id == 2 else (1, "New")
        )
    else:
        made["status_id"], made["status"] = _STATUS.get(
            about.get("outcome", ""), _STATUS["unknown"]
        )
        made["src_endpoint"] = _source(activity)
        made["actor"] = _actor(activity)
        made["http_request"] = _request(activity)
        code = _of(activity, "http", "response").get("status_code")
        made["http_response"] = {"code": code} if isinstance(code, int) else None
        if agent := _agent(activity):
            made["ai_agent"] = agent
            made["metadata"]["profiles"] = ["ai_operation"]
    _own(made, kind, activity, about)
    made["unmapped"] = _without(activity, _placed(), made)
    return {name: value for name, value in made.items() if value or value in (0, "")}


def _own(
    made: dict[str, Any], kind: OcsfKind, activity: Mapping[str, Any], about: Mapping[str, Any]
) -> None:
    """Add what the class has of its own."""
    resource = _resource(activity)
    match kind.class_key:
        case "api_activity":
            service = _of(activity, "service").get("name") or about.get("provider")
            made["api"] = _filled(operation=about.get("action"), service=_filled(name=service))
            made["src_endpoint"] = made["src_endpoint"] or {"name": UNKNOWN}
            made["resources"] = [resource] if resource else None
        case "authentication":
            made["user"] = _user(_of(activity, "user")) or _target(activity)
            if kind.activity_name == "Account Switch":
                made["user"] = _target(activity)
            name = _of(activity, "service").get("name") or about.get("provider")
            made["service"] = {"name": name or PRODUCT["name"]}
            made["session"] = _filled(uid=_of(activity, "session").get("id"))
        case "user_management":
            made["user"] = _target(activity)
            roles = _of(activity, "user", "target").get("roles")
            if kind.activity_name == "Assign Roles" and isinstance(roles, list):
                made["iam_roles"] = [{"name": str(one)} for one in roles]
        case "role_management":
            made["iam_role"] = _named(_of(activity, "activity", "resource"))
        case "group_management":
            made["group"] = _named(_of(activity, "organization"))
            made["users"] = [_target(activity)]
        case "detection_finding":
            made["finding_info"] = _filled(
                uid=str(activity.get("id", UNKNOWN)),
                title=activity.get("message") or about.get("action"),
                src_url=about.get("url"),
                created_time=made["time"],
            )
            made["resources"] = [resource] if resource else None


def _metadata(activity: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    own = _of(activity, "activity")
    case = _of(activity, "activity", "case").get("id") or _of(activity, "trace").get("id")
    return _filled(
        version=ocsf.version(),
        product=PRODUCT,
        uid=activity.get("id"),
        original_time=own.get("claimed_timestamp") or activity.get("@timestamp"),
        logged_time=_millis(about.get("ingested")),
        event_code=about.get("action"),
        log_name=about.get("dataset"),
        log_provider=about.get("provider"),
        tenant_uid=_of(activity, "organization").get("id"),
        correlation_uid=case,
        sequence=about.get("sequence"),
    )


def _actor(activity: Mapping[str, Any]) -> dict[str, Any] | None:
    user = _user(_of(activity, "user"))
    organization = _of(activity, "organization")
    if user and organization:
        user["org"] = _filled(uid=organization.get("id"), name=organization.get("name"))
    session = _filled(uid=_of(activity, "session").get("id"))
    made = _filled(user=user, session=session)
    if not made:
        name = _of(activity, "service").get("name") or _of(activity, "event").get("provider")
        made = {"user": {"name": name or UNKNOWN}}
    return made


def _agent(activity: Mapping[str, Any]) -> dict[str, Any]:
    """The AI agent that did it: OCSF requires its id, for which a name alone stands in."""
    found = _of(activity, "gen_ai", "agent")
    uid = found.get("id") or found.get("name")
    if not uid:
        return {}
    return _filled(uid=uid, name=found.get("name"), version=found.get("version"))


def _user(found: Mapping[str, Any]) -> dict[str, Any]:
    """A user; OCSF wants an id or a name, for which the e-mail address stands in."""
    name = found.get("name") or (None if found.get("id") else found.get("email"))
    if not (found.get("id") or name):
        return {}
    email = found.get("email")
    return _filled(
        uid=found.get("id"),
        name=name,
        full_name=found.get("full_name"),
        email_addr=email if isinstance(email, str) and _is_address(email) else None,
        domain=found.get("domain"),
    )


def _target(activity: Mapping[str, Any]) -> dict[str, Any]:
    """The user whom it is about: the target, else a resource that is one, else the actor."""
    target = _user(_of(activity, "user", "target"))
    resource = _of(activity, "activity", "resource")
    if not target and str(resource.get("type", "")).endswith("user"):
        target = _filled(uid=resource.get("id"), name=resource.get("name"))
    return target or _user(_of(activity, "user")) or {"name": UNKNOWN}


def _resource(activity: Mapping[str, Any]) -> dict[str, Any]:
    found = _of(activity, "activity", "resource")
    if not (found.get("id") or found.get("name")):
        return {}
    return _filled(uid=found.get("id"), name=found.get("name"), type=found.get("type"))


def _named(found: Mapping[str, Any]) -> dict[str, Any]:
    return _filled(uid=found.get("id"), name=found.get("name")) or {"name": UNKNOWN}


def _source(activity: Mapping[str, Any]) -> dict[str, Any]:
    found = _of(activity, "source")
    return _filled(ip=found.get("ip"), hostname=found.get("domain"))


def _request(activity: Mapping[str, Any]) -> dict[str, Any]:
    found = _of(activity, "http", "request")
    url = _of(activity, "url")
    method = str(found.get("method", "")).upper()
    where = _filled(
        url_string=url.get("original"),
        path=url.get("path"),
        hostname=url.get("domain"),
        query_string=url.get("query"),
    )
    return _filled(
        uid=found.get("id"),
        http_method=method if method in _METHODS else None,
        referrer=found.get("referrer"),
        user_agent=_of(activity, "user_agent").get("original"),
        url=where if "url_string" in where or "path" in where else None,
    )


@cache
def _placed() -> dict[str, Any]:
    """The tree of :data:`_PLACED`.

    A leaf is the form that the value has in the event (``None``: as it is), and its paths.
    """
    leaves = {
        name: (_FORMS.get(name), tuple(tuple(one.split(".")) for one in places))
        for name, places in _PLACED.items()
    }
    return tree(leaves)


def _without(
    node: Mapping[str, Any], placed: Mapping[str, Any], made: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what of ``node`` does not stand in the event."""
    rest: dict[str, Any] = {}
    for key, value in node.items():
        place = placed.get(key)
        if place is None:
            rest[key] = value
        elif isinstance(place, dict):
            left = _without(value, place, made) if isinstance(value, dict) else value
            if left != {}:
                rest[key] = left
        else:
            form, places = place
            if not _stands(value if form is None else form(value), places, made):
                rest[key] = value
    return rest


def _stands(told: Any, places: tuple[tuple[str, ...], ...], made: Mapping[str, Any]) -> bool:
    """Whether a value is at one of these places of the event."""
    if told is None:
        return False
    for place in places:
        node: Any = made
        for part in place:
            node = node.get(part)
            if node is None:
                break
        if node == told:
            return True
    return False


def _of(activity: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The object at a path; empty where there is none."""
    node: Any = activity
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def _filled(**members: Any) -> dict[str, Any]:
    # None, "", {} and [] go; 0 and False stay.
    return {name: value for name, value in members.items() if value or value == 0}


def _is_address(email: str) -> bool:
    """Whether OCSF's pattern of an address takes it (``email_t``: one ``@``, a dotted domain)."""
    local, at, domain = email.rpartition("@")
    host, dot, top = domain.partition(".")
    letters = f"{local}{domain}"
    return bool(
        at
        and local
        and host
        and dot
        and top
        and letters.isascii()
        and letters.isprintable()
        and not set(letters) & set(' "(),:;<>@[\\]')
        and "_" not in domain
    )


def _millis(stamp: Any) -> int | None:
    """Milliseconds since 1970; a time without an offset is UTC."""
    if not isinstance(stamp, str):
        return None
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return milliseconds(moment)


def _level(severity: Any) -> int | None:
    """OCSF's number of one of our five severities."""
    return severity + 1 if isinstance(severity, int) and 0 <= severity < 5 else None


def _status(outcome: Any) -> str | None:
    return _STATUS[outcome][1] if isinstance(outcome, str) and outcome in _STATUS else None


_FORMS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("@timestamp", "event.start", "event.end", "event.ingested"), _millis),
    "event.severity": _level,
    "event.outcome": _status,
}
