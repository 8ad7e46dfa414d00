"""Digests that bind a decision to what was decided, and an execution to what ran.

``hmac-sha256:<key id>:<hex>`` of tool, arguments and target in the form of RFC 8785, under a
key that the collector keeps (RFC 2104). The same tool with the same arguments on the same target
has the same digest at every stage of a chain, so whatever drifted between an approval and an
execution shows. An unkeyed hash of values that can be guessed would reveal them.

The key's id is the beginning of an HMAC of a fixed text under it: digests of different keys
are seen not to be comparable, and the id tells as little of the key as any digest does. Those
made before there was an id have none.

It is made of what the sender sent, before anything is redacted: a keyed digest tells as
little of a password as a keyed hash of that password alone, and shows that it changed.
"""

from __future__ import annotations

import hmac
import re
from pathlib import Path
from typing import Any, Final

from activity_center.agents.stage import stage_of
from collector.mapping.runtime import place
from collector.normalize.jcs import canonical_json
from collector.normalize.key_file import read_or_make
from collector.records import Sender

PREFIX: Final = "hmac-sha256:"
KEY_ID: Final = b"id of the key of digests"
"""What the key's id is made of; no canonical JSON, so no digest begins as the id does."""
_MADE: Final = re.compile(rf"({PREFIX}(?:[0-9a-f]{{8}}:)?)[0-9a-f]{{64}}")
"""A digest that a collector made, and what tells its key."""
CLAIM: Final = "claimed_digest"
"""Key in ``metadata`` of a digest that the sender claims and that is not what it sent."""
DIFFERS: Final = "claimed_digest_differs"
"""Marks such an entry, in ``tags``."""
REDACTED: Final = "[redacted]"
"""What senders leave of a secret; so does :mod:`collector.redact`."""
GROUPS: Final = {
    "proposed": "proposal",
    "approved": "proposal",
    "executing": "execution",
    "completed": "execution",
    "failed": "execution",
}
"""Stage of a chain -> the group of ``activity`` whose ``digest`` it has."""
_OURS: Final = ("proposal", "execution")


class Digests:
    """Computes and compares digests.

    Args:
        key: the HMAC key; collectors that may get entries of one chain share it.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._prefix = f"{PREFIX}{hmac.digest(key, KEY_ID, 'sha256').hex()[:8]}:"

    def bind(self, activity: dict[str, Any], sender: Sender, before: dict[str, Any] | None) -> None:
        """Put the digest into an activity; groups inside it are replaced where they change.

        Without tool or arguments there is none: the entry does not say what was decided or
        ran. A digest that the sender claims is believed only where none can be made of what it
        sent, and only from one that may speak for approvers: the sidecar knows the arguments
        as they are stored, without secrets. Every other claim that differs is moved to
        ``metadata`` and marked, but not marked where it is a digest of another key: nobody can
        tell whether that differs.

        Args:
            activity: as mapped; with ``before``, without its secrets.
            before: the same activity before its secrets were removed, with its digest.
        """
        ours = activity.get("activity")
        if type(ours) is not dict or not ("proposal" in ours or "execution" in ours):
            return
        own, made = self._made(activity, ours) if before is None else ("", None)
        trusted = before is None and "approver" in sender.may_assert
        if trusted and made is not None and _redacted(activity):
            made = None  # of what came without its secrets a digest would accuse what ran
        claims: list[Any] = []
        marked = False
        for name in _OURS:
            group = ours.get(name)
            if group is not None and type(group) is not dict:
                continue  # no object: it is kept as it is, elsewhere
            claim = None if group is None else group.get("digest")
            digest = made if name == own else _at(before, "activity", name, "digest")
            if trusted and type(claim) is str and digest is None:
                digest = claim
            if claim == digest:
                continue
            if claim is not None:
                claims.append(claim)
                marked = marked or digest is None or not self._is_foreign(claim)
            group = {} if group is None else {k: v for k, v in group.items() if k != "digest"}
            if digest is not None:
                group["digest"] = digest
            ours = activity["activity"] = {**ours, name: group}
            if not group:
                del ours[name]
        if claims:
            _keep(activity, claims, marked)

    def _made(self, activity: dict[str, Any], ours: dict[str, Any]) -> tuple[str, str | None]:
        """The group that gets a digest at this stage, and the digest of what was sent."""
        event = activity.get("event")
        own = GROUPS.get(stage_of(event if type(event) is dict else {}, ours), "")
        tool, call = _at(activity, "gen_ai", "tool", "name"), _call(activity)
        if not own or type(tool) is not str or "arguments" not in call:
            return own, None
        target: dict[str, Any] = {}
        resource = ours.get("resource")
        if type(resource) is dict:
            target = {name: resource[name] for name in ("id", "type") if name in resource}
        what = {"arguments": call["arguments"], "target": target, "tool": tool}
        return own, self._prefix + hmac.digest(self._key, canonical_json(what), "sha256").hex()

    def _is_foreign(self, claim: Any) -> bool:
        """Whether a claim is a digest made under another key, or one that has no id."""
        made = _MADE.fullmatch(claim) if type(claim) is str else None
        return made is not None and made[1] != self._prefix


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if type(value) is dict else None
    return value


def _call(activity: dict[str, Any]) -> dict[str, Any]:
    call = _at(activity, "gen_ai", "tool", "call")
    return call if type(call) is dict else {}


def _redacted(activity: dict[str, Any]) -> bool:
    """Whether the arguments came without their secrets."""
    return REDACTED.encode() in canonical_json(_call(activity).get("arguments"))


def _keep(activity: dict[str, Any], claims: list[Any], marked: bool) -> None:
    """Keep claims that are not believed, and perhaps mark the entry."""
    metadata = activity.get("metadata")
    if type(metadata) is dict or metadata is None:
        kept = dict(metadata or {})
        place(kept, CLAIM, claims[0] if len(claims) == 1 else claims)
        activity["metadata"] = kept
    if not marked:
        return
    tags = activity.get("tags")
    given = tags if type(tags) is list else [] if tags is None else [tags]
    activity["tags"] = [*given, DIFFERS] if DIFFERS not in given else given


def load(key_file: str, data_dir: Path) -> Digests:
    """Return the digests of a configuration; the key file is made when it is missing.

    Args:
        key_file: ``collector.digest_key_file``; empty: ``keys/digest.key`` in ``data_dir``.

    Raises:
        ConfigError: the key cannot be read or made, or is too short.
    """
    return Digests(read_or_make(Path(key_file) if key_file else data_dir / "keys" / "digest.key"))
