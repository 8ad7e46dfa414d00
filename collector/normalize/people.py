"""Who an activity is about: ``related.*`` (ECS), and what its sender may say of an approver."""

from __future__ import annotations

from typing import Any

from collector.normalize.asserted import believe, disown
from collector.records import Sender


def tell_people(activity: dict[str, Any], ours: dict[str, Any], sender: Sender) -> None:
    """Put ``related.*`` into an activity, and whether its approver counts as authenticated.

    Args:
        activity: completed in place; groups inside it are replaced where they change.
        ours: its group ``activity``, changed in place.
        sender: who sent it.
    """
    found: dict[str, list[str]] = {}
    users: dict[str, None] = {}
    user = activity.get("user")
    if user is not None:
        _names(user, users)
        if "target" in user:
            _names(user["target"], users)
        if "effective" in user:
            _names(user["effective"], users)
    if "initiator" in ours:
        _names(ours["initiator"], users)
    if "approver" in ours:
        approver = ours["approver"]
        if type(approver) is dict:
            _names(approver, users)
            authenticated = "approver" in sender.may_assert
            ours["approver"] = {**approver, "authenticated": authenticated}
            if authenticated:
                believe(activity, ours)
    if "control" in ours and "approver" not in sender.may_assert:
        disown(activity, ours)
    if users:
        found["user"] = [*users]
    group = activity.get("source")
    if group is not None:
        ip = group.get("ip")
        if type(ip) is str:
            found["ip"] = [ip]
    group = activity.get("client")
    if group is not None:
        _add(found, "ip", group.get("ip"))
    group = activity.get("host")
    if group is not None:
        _add(found, "hosts", group.get("name"))
        _add(found, "hosts", group.get("hostname"))
    if not found:
        return
    related = activity.get("related")
    if related is None:
        activity["related"] = found
        return
    related = activity["related"] = related.copy()
    for key, more in found.items():
        given = related.get(key)
        related[key] = more if given is None else _merged(given, more)


def _add(found: dict[str, list[str]], key: str, value: Any) -> None:
    if type(value) is str:
        values = found.get(key)
        if values is None:
            found[key] = [value]
        elif value not in values:
            values.append(value)


def _names(user: Any, into: dict[str, None]) -> None:
    if type(user) is not dict:
        return
    get = user.get
    if type(value := get("id")) is str:
        into[value] = None
    if type(value := get("name")) is str:
        into[value] = None
    if type(value := get("email")) is str:
        into[value] = None


def _merged(given: Any, found: list[str]) -> list[Any]:
    values = given if type(given) is list else [given]
    return [*values, *(value for value in found if value not in values)]
