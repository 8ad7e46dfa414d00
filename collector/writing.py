"""Write: a completed activity as the bytes that are stored, with its hash and its id.

The canonical bytes (:mod:`activity_center.canonical`) are written once. What the receiver
adds is put into them afterwards, in places that are known because keys are sorted::

    {"ecs":{...},"@timestamp":"...","activity":{<receiver's>, ...},...,"event":{...,"hash":...

so that hashing costs no second pass through a JSON writer.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any, Final

import orjson

from activity_center.canonical import LARGE_BYTES
from activity_center.vocabulary import ECS_VERSION
from collector.normalize.identity import Ordinals, content_key, document_id
from collector.normalize.inspection import inspect
from collector.normalize.place import MAX_DEPTH, Placer
from collector.normalize.refused import Refused
from collector.records import CONTROLS, MAX_EVENT_BYTES, Control, Entry
from collector.validate import Validator

LOOK_CLOSELY: Final = 8_000
"""Documents above this size, bytes, have every leaf measured."""
MANY_BRACKETS: Final = 64
"""So have those with more opening brackets: nothing is nested deeper than it has of them."""
MAX_ID: Final = 512
"""Longest ``event.id``, characters."""
_SORTED: Final = orjson.OPT_SORT_KEYS
_DEL: Final = b"\x7f"
_NO_ID: Final = "-"
_new: Final = tuple.__new__
"""Half the time of calling a NamedTuple's class; one is made per event."""
_ECS: Final = f'{{"ecs":{{"version":"{ECS_VERSION}"}},'.encode()
_ACTIVITY: Final = b'"activity":{'
_TIMESTAMP: Final = b'{"@timestamp":"'
_START: Final = len(_TIMESTAMP) + len("2026-11-25T02:34:56.123456Z") + len('",')
"""Where ``"activity"`` stands in canonical bytes: ``@timestamp`` always has this form."""
_CUT: Final = _START + len(_ACTIVITY)
_HASH: Final = b'"hash":"'
_AFTER_HASH: Final = b'",'
_ID: Final = b'"id":"'
_dumps: Final = orjson.dumps
_sha256: Final = hashlib.sha256

INVALID, VALID, PLAIN = range(3)
"""What the schema says: it refuses the activity; takes it; and nothing in it is odd."""

Draft = tuple[dict[str, Any], bytes, str, int, bytes, str | None, int]
"""An activity on its way: itself, its canonical bytes with a mark where the hash goes, its
stream, its time in Unix ms, what the receiver says of it, the producer's id if there is one,
and what the schema says. A plain tuple: one is made per event."""

Origin = tuple[str, dict[str, Any], int | None, bytes]
"""The source mapping's name; the record as received, whose content is the identity of an
activity without id; the transport's time in Unix ns; and a key, where that identity must not
let the content be guessed (else ``b""``)."""


def ingested(received: str) -> bytes:
    """Return what follows the hash in a document: the end of its text, and when it came.

    Args:
        received: time of receipt as it is stored.
    """
    return f'","ingested":"{received}",'.encode()


class Writer:
    """Writes activities; holds what is compiled once."""

    def __init__(self) -> None:
        self._validator = Validator()
        self._is_valid = self._validator.is_valid
        self._is_plain = self._validator.is_plain
        self._placer = Placer()
        # Stands where the hash goes; unguessable, so that no value can hold it.
        self._mark = _DEL.decode() + secrets.token_hex(16)
        self._mark_bytes = self._mark.encode()

    def plain(
        self, activity: dict[str, Any], stream: str, ms: int, receiver: bytes
    ) -> Draft | None:
        """:meth:`draft` for an activity that may need no closer look; ``None`` if it does.

        Raises:
            TypeError: it holds what JSON cannot say.
            ValueError: the same.
        """
        event = activity["event"]
        given = event.get("id")
        if type(given) is not str or not given:
            given, event["id"] = None, _NO_ID
        if not self._is_plain(activity):
            return None
        event["hash"] = self._mark
        body = _dumps(activity, None, _SORTED)
        del event["hash"]
        if len(body) > LOOK_CLOSELY:
            return None
        return activity, body, stream, ms, receiver, given, PLAIN

    def draft(self, activity: dict[str, Any], stream: str, ms: int, receiver: bytes) -> Draft:
        """Write a completed activity for the first time.

        Raises:
            Refused: it holds what JSON cannot say, or breaks the schema.
        """
        event = activity["event"]
        given = event.get("id")
        if type(given) is not str or not given:
            given, event["id"] = None, _NO_ID  # the derived id follows in entry()
        elif len(given) > MAX_ID:
            _shorten_id(activity, event, given)
        try:
            valid = self._is_valid(activity)
            event["hash"] = self._mark
            body = _dumps(activity, None, _SORTED)
            del event["hash"]
        except (TypeError, ValueError):  # neither says where nor, for some values, anything
            event.pop("hash", None)
            self._closely(activity, whole=True)
            return activity, self._json(activity), stream, ms, receiver, given, VALID
        return activity, body, stream, ms, receiver, given, VALID if valid else INVALID

    def entry(
        self,
        draft: Draft,
        origin: Origin,
        output: int,
        ordinals: Ordinals,
        ingested: bytes,
        sender: str,
    ) -> Entry:
        """Finish a draft.

        Args:
            origin: what the draft was made from.
            output: index among the activities of the record.
            ordinals: counts equal records of the chunk.
            ingested: what :func:`ingested` gives for the time of receipt.
            sender: for its quota.

        Raises:
            Refused: it cannot be kept.
        """
        activity, body, stream, ms, receiver, given, valid = draft
        source, record, transport, key = origin
        if valid is not PLAIN:
            large = len(body) > LOOK_CLOSELY or body.count(b"{") + body.count(b"[") > MANY_BRACKETS
            if large or valid is INVALID:
                self._closely(activity, whole=large)
                body = self._json(activity)
        organization = activity.get("organization")
        owner: str = organization.get("id", "") if organization is not None else ""
        ours = activity["activity"]
        timeless = ours["timestamp_source"] == "receipt"
        if given is not None:
            _id = document_id(source, owner, f"id:{given}")
        else:
            # Whether a claimed time is believed hangs on our clock: the claim itself is in
            # the record. Without any time of its own a record is a new event each time.
            moment: int | str | None = transport
            if moment is None and timeless and "claimed_timestamp" not in ours:
                moment = secrets.token_hex(16)
            content = _content(record, moment, output)
            if key:
                content = hmac.digest(key, content, "sha256")
            _id = document_id(source, owner, ordinals.key(content))
        mark = self._mark_bytes
        # JSON escapes no DEL, but it is rare: looking for that one byte is quicker.
        at = body.find(_DEL)
        if not body.startswith(mark, at):
            at = body.index(mark)
        front, tail = body[: at - len(_HASH)], body[at + len(mark) + len(_AFTER_HASH) :]
        if given is None:
            tail = _ID + _id.encode() + tail[len(_ID) + len(_NO_ID) :]
        if timeless:
            digest = _sha256(b"{" + front[_START:] + tail).hexdigest()
            # An id that was seen before may be in any generation, whatever our clock says.
            ms = 0 if given is not None or "claimed_timestamp" in ours else ms
        else:
            digest = _sha256(front + tail).hexdigest()
        stored = b"".join(
            (_ECS, front[1:_CUT], receiver, front[_CUT:], _HASH, digest.encode(), ingested, tail)
        )
        if len(stored) > LARGE_BYTES:
            told = b'"size":%d,' % len(stored)
            stored = stored.replace(_ACTIVITY, _ACTIVITY + told, 1)
        if len(stored) > MAX_EVENT_BYTES:
            size = f"the activity has {len(stored)} bytes, more than {MAX_EVENT_BYTES}"
            raise Refused("too_large", size)
        kind = Control if activity["event"].get("action") in CONTROLS else Entry
        return _new(kind, (stream, _id, ms, digest, stored, sender))

    def finish(self, draft: Draft, source: str, ingested: bytes, sender: str) -> Entry | None:
        """:meth:`entry` for the usual draft: in which nothing is odd, with its own id and time.

        Args:
            source: the source mapping's name.

        Returns:
            ``None`` for any other draft.
        """
        activity, body, stream, ms, receiver, given, schema = draft
        if (
            given is None
            or schema is not PLAIN
            or activity["activity"]["timestamp_source"] == "receipt"
        ):
            return None
        organization = activity.get("organization")
        owner = "" if organization is None else organization.get("id", "")
        mark = self._mark_bytes
        at = body.find(_DEL)
        if not body.startswith(mark, at):
            at = body.index(mark)
        split = at - len(_HASH)
        canonical = body[:split] + body[at + len(mark) + len(_AFTER_HASH) :]
        digest = _sha256(canonical).hexdigest()
        stored = b"".join(
            (
                _ECS,
                canonical[1:_CUT],
                receiver,
                canonical[_CUT:split],
                _HASH,
                digest.encode(),
                ingested,
                canonical[split:],
            )
        )
        _id = document_id(source, owner, f"id:{given}")
        kind = Control if activity["event"].get("action") in CONTROLS else Entry
        return _new(kind, (stream, _id, ms, digest, stored, sender))

    def _json(self, activity: dict[str, Any]) -> bytes:
        """The activity as JSON with sorted keys, with a mark where its hash goes.

        Raises:
            TypeError: a value that JSON cannot say.
        """
        event = activity["event"]
        event["hash"] = self._mark
        try:
            return orjson.dumps(activity, option=_SORTED)
        finally:
            del event["hash"]

    def _closely(self, activity: dict[str, Any], *, whole: bool) -> None:
        """The slow look: numbers and text, then fit to the fields, then the schema again.

        Args:
            whole: fit also when the schema is satisfied (large or unwritable documents).

        Raises:
            Refused: with the reason and the path.
        """
        inspect(activity)
        if not whole and self._validator.is_valid(activity):
            return
        self._placer.fit(activity)
        event = activity.get("event")
        if type(event) is dict:
            event.setdefault("outcome", "unknown")
            event.setdefault("kind", "event")
        if not self._validator.is_valid(activity):
            finding = self._validator.explain(activity)
            raise Refused("invalid", finding.detail, finding.path)


def _content(record: dict[str, Any], moment: int | str | None, output: int) -> bytes:
    """Identity of a record without id.

    Raises:
        Refused: the record cannot be written as JSON.
    """
    try:
        return content_key(record, moment, output)
    except TypeError:
        inspect(record)
        raise Refused("too_deep", f"nested deeper than {MAX_DEPTH} levels") from None


def _shorten_id(activity: dict[str, Any], event: dict[str, Any], given: str) -> None:
    """An id too long for its field is stood for by its hash, and kept whole."""
    digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()
    event["id"] = f"sha256:{digest}"
    ours = activity["activity"]
    ours["overflow"] = {**ours.get("overflow", {}), "event.id": given}
    ours["overflow_fields"] = [*ours.get("overflow_fields", ()), "event.id"]
