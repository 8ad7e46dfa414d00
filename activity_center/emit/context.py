"""What surrounds an action: who, from where, in which request, trace and case.

Carried in a :class:`contextvars.ContextVar`, so it follows threads' own work, asyncio
tasks and greenlets, and never leaks from one request into another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, NamedTuple

Fields = Mapping[str, Any]
UserSource = Callable[[], Any]

SUBJECTS: Final = frozenset({"user", "organization", "resource"})
"""One subject is never mixed with another: whoever names one leaf names them all."""
STATES: Final = frozenset({"old_value", "new_value"})
"""Values of the caller's own, replaced and never merged."""


class Surroundings(NamedTuple):
    """One entry into a :class:`Context`.

    Attributes:
        fields: nested ECS fields, those from below included.
        user_source: who can be asked for the user at the last moment.
        owner: the context that was entered.
        below: what holds again after leaving it.
    """

    fields: Fields
    user_source: UserSource | None
    owner: Context | None = None
    below: Surroundings | None = None


_EMPTY: Final = Surroundings({}, None)
_current: ContextVar[Surroundings] = ContextVar("activity_center.emit", default=_EMPTY)
_asking: ContextVar[bool] = ContextVar("activity_center.emit.asking", default=False)


def merge(below: Fields, above: Fields) -> dict[str, Any]:
    """Return both nested mappings in one; ``above`` wins."""
    result = dict(below)
    for name, value in above.items():
        old = result.get(name)
        if name in STATES or not (isinstance(old, Mapping) and isinstance(value, Mapping)):
            result[name] = value
        elif name in SUBJECTS:
            result[name] = _subject(old, value)
        else:
            result[name] = merge(old, value)
    return result


def _subject(below: Fields, above: Fields) -> dict[str, Any]:
    """Keep of ``below`` the leaves only if ``above`` has none (``user.target`` alone)."""
    kept = {name: value for name, value in below.items() if isinstance(value, Mapping)}
    return {**(kept if _has_leaf(above) else below), **above}


def _has_leaf(group: Any) -> bool:
    return isinstance(group, Mapping) and any(
        not isinstance(value, Mapping) for value in group.values()
    )


def current() -> Fields:
    """Return the fields in force here; asks the user source when no user is set.

    Raises:
        Exception: whatever the caller's user source raises; the emitter counts it.
    """
    fields, source, _, _ = _current.get()
    if source is None or _has_leaf(fields.get("user")) or _asking.get():
        return fields
    token = _asking.set(True)  # the source may itself do something that is recorded
    try:
        user = source()
    finally:
        _asking.reset(token)
    return fields if user is None else merge(fields, {"user": person(user)})


def current_without_user_source() -> Fields:
    """Return the fields in force here, for when the user source failed."""
    return _current.get().fields


def person(value: Any) -> Any:
    """Return the ``user`` group: a text or number is the platform's user id."""
    return value if isinstance(value, Mapping) else {"id": str(value)}


def identified(value: Any) -> Any:
    """Return an ``organization`` group: a text is its id."""
    return value if isinstance(value, Mapping) else {"id": value}


class Context:
    """``with emitter.context(user=..., organization=...):``; also ``async with``.

    Can be entered again and from several threads: all state is in the context variable.
    """

    __slots__ = ("_fields", "_user_source")

    def __init__(self, fields: Fields, user_source: UserSource | None = None) -> None:
        self._fields = fields
        self._user_source = user_source

    def __enter__(self) -> Context:
        below = _current.get()
        source = self._user_source or below.user_source
        _current.set(Surroundings(merge(below.fields, self._fields), source, self, below))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        here = _current.get()
        # Not ours when left elsewhere than entered: an async generator that the loop
        # finalizes. The value of the place where it was entered is gone with that place.
        if here.owner is self and here.below is not None:
            _current.set(here.below)

    async def __aenter__(self) -> Context:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)
