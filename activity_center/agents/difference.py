"""What was approved beside what ran: whether it differs, and where.

Digests decide where both sides carry one of the same key: they are over the values as they were
before secrets were removed. What can be read says where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

MOST: Final = 200
"""Differences that are listed."""
REDACTED: Final = "[redacted]"
"""What the collector puts in place of a secret."""
_GONE: Final = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs.

    Attributes:
        path: dotted; ``tool`` and ``target.id`` among the arguments' ``arguments.x``.
        kind: changed, added, removed, or secret: it was removed on both sides, and differed.
    """

    path: str
    approved: Any
    ran: Any
    kind: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as the API has it."""
        return {"path": self.path, "approved": self.approved, "ran": self.ran, "kind": self.kind}


def drifted(approved: str, digests: tuple[str, ...]) -> bool | None:
    """Compare digests; ``None``: there are none that can be compared.

    Before the last ``:`` stands the algorithm, and the key's id
    (:mod:`collector.normalize.digest`; digests made before there were such ids have none).

    Args:
        approved: of what was approved, or empty.
        digests: of what ran.
    """
    key = approved.rpartition(":")[0]
    same_key = [one for one in digests if one.rpartition(":")[0] == key]
    if not approved or not same_key:
        return None
    return any(one != approved for one in same_key)


def differences(approved: Mapping[str, Any], ran: Mapping[str, Any]) -> list[Difference]:
    """Return where two contents differ; what one of them does not tell does not differ."""
    found = list(_changes(approved, ran))
    return found[:MOST]


def secrets(approved: Mapping[str, Any], ran: Mapping[str, Any]) -> list[Difference]:
    """Return the removed secrets on both sides: the digests differ, and nothing else does."""
    left, right = dict(_leaves(approved, "")), dict(_leaves(ran, ""))
    found = [
        Difference(path, value, right[path], "secret")
        for path, value in left.items()
        if path in right and REDACTED in str(value) and REDACTED in str(right[path])
    ]
    return found[:MOST] or [Difference("arguments", None, None, "secret")]


def _changes(approved: Mapping[str, Any], ran: Mapping[str, Any]) -> Iterator[Difference]:
    if approved["tool"] and ran["tool"] and approved["tool"] != ran["tool"]:
        yield Difference("tool", approved["tool"], ran["tool"], "changed")
    for name in ("type", "id"):
        left, right = approved["target"][name], ran["target"][name]
        if left and right and left != right:
            yield Difference(f"target.{name}", left, right, "changed")
    if approved["arguments"] is None or ran["arguments"] is None:
        return
    before = dict(_leaves(approved["arguments"], "arguments"))
    after = dict(_leaves(ran["arguments"], "arguments"))
    for path in dict.fromkeys((*before, *after)):
        old, new = before.get(path, _GONE), after.get(path, _GONE)
        if old is _GONE:
            yield Difference(path, None, new, "added")
        elif new is _GONE:
            yield Difference(path, old, None, "removed")
        elif not _same(old, new):
            yield Difference(path, old, new, "changed")


def _same(old: Any, new: Any) -> bool:
    """1 and 1.0 are one number in JSON (RFC 8785, 3.2.2.3); true is none, though Python has it."""
    return isinstance(old, bool) == isinstance(new, bool) and bool(old == new)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The single values with their dotted paths; an empty list or object is one."""
    stack = [(path, value)]
    while stack:
        place, one = stack.pop()
        if isinstance(one, dict) and one:
            inner = [(f"{place}.{key}" if place else str(key), child) for key, child in one.items()]
        elif isinstance(one, list) and one:
            inner = [(f"{place}[{index}]", child) for index, child in enumerate(one)]
        else:
            yield place, one
            continue
        stack.extend(reversed(inner))
