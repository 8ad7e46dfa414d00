"""Secrets never reach the spool, a hash or a log line.

A document is written as JSON once; one linear-time scan over those bytes looks for
anything that could be a secret. Only where it finds something is the *record* walked
and cleaned, and then mapped again: nearly all records pay 2 µs and no walk.

Removed are values under names that mean a secret (``password``, ``clientSecret``,
``api-key`` ...) and texts that look like one wherever they stand (JSON Web Tokens, PEM
private keys, cloud and forge tokens, credentials in URLs, headers and command lines).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

import re2

from activity_center.config import Redaction
from activity_center.errors import ConfigError

REPLACEMENT: Final = "[redacted]"
MAX_DEPTH: Final = 120

# fmt: off
_KEY_ENDINGS: Final = (
    "password", "passwd", "passphrase", "pwd", "secret", "secretkey", "secretaccesskey", "token",
    "apikey", "accesskey", "privatekey", "signingkey", "encryptionkey", "authorization", "cookie",
    "setcookie", "credential", "credentials", "connectionstring", "otp", "totp", "mfacode",
    "recoverycode", "cvv", "cvc",
)
_SCAN_WORDS: Final = (
    "passw", "passphrase", "pwd", "secret", "token", r"api[_.-]?key", r"access[_.-]?key",
    r"private[_.-]?key", r"signing[_.-]?key", r"encryption[_.-]?key", r"authori[sz]ation",
    "cookie", "credential", r"connection[_.-]?string", "otp", "mfa", "recovery", r"cv[vc]",
)
# fmt: on
_LOOKS: Final[tuple[str, ...]] = (
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JSON Web Token (RFC 7519)
    r"(?s)-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|$)",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # AWS access key id
    r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{16,}",
    r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    r"\bAIza[A-Za-z0-9_-]{30,}",
    r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
    r"\bsk-[A-Za-z0-9_-]{20,}",
    r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{30,}|\bhvs\.[A-Za-z0-9_-]{20,}",
)
_TEXT_WORDS: Final = (
    r"password|passwd|passphrase|pwd|secret|token|api[_.-]?key|access[_.-]?key|private[_.-]?key"
)
# What stands before the secret in these is kept, so that a reader knows what was there.
_AFTER: Final[tuple[str, ...]] = (
    # A digit is demanded: "basic authentication failed" is prose.
    r"(?i)(\b(?:bearer|basic)\s+)[a-z._~+/-]{0,64}[0-9=][a-z0-9._~+/=-]{7,}",
    r"(://[^/\s:@\"]*:)[^/\s@\"]+(?:@)",
    rf"(?i)(\b[a-z0-9_.-]*(?:{_TEXT_WORDS})[\"']?\s*[=:]\s*[\"']?)[^\s&;,'\"]{{3,}}",
    rf"(?i)((?:^|\s)-{{1,2}}[a-z0-9_-]*(?:{_TEXT_WORDS})\s+[\"']?)[^\s'\"]{{3,}}",
)
_SCAN_LOOKS: Final = (
    r"eyJ[A-Za-z0-9_-]{8}|PRIVATE KEY-----|(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_|github_pat_"
    r"|glpat-|xox[abeprs]-"
    r"|AIza|[rs]k_(?:live|test)_|sk-[A-Za-z0-9_-]{20}|npm_|pypi-|hvs\.|://[^/\s:@\"]*:[^/\s@\"]+@"
    r"|(?i:bearer |basic )"
)
_PAIRED: Final = frozenset({"value", "old", "new"})
_SQUEEZE: Final = re.compile(r"[^a-z0-9]+")


class Redactor:
    """The built-in rules and those of the configuration, compiled once.

    Args:
        rules: further keys and patterns.

    Raises:
        ConfigError: a pattern is not RE2, or can match the empty text.
    """

    def __init__(self, rules: Redaction = Redaction()) -> None:  # noqa: B008 - frozen
        extra = [_SQUEEZE.sub("", key.lower()) for key in rules.keys]
        self._endings = (*_KEY_ENDINGS, *(key for key in extra if key))
        for pattern in rules.patterns:
            _check(pattern)
        self._looks = [re2.compile(pattern) for pattern in (*_LOOKS, *rules.patterns)]
        self._after = [re2.compile(pattern) for pattern in _AFTER]
        words = "|".join((*_SCAN_WORDS, *(_loose(key) for key in rules.keys)))
        # A secret's name is a key (followed by quote and colon) or stands in a text
        # before "=", ":" or a space; the same words inside other texts are left alone.
        scan = (
            rf"(?i:{words})[A-Za-z0-9_. \-]*\\?[\"']?\s*[:=]"
            rf"|(?i:{words})[A-Za-z0-9_-]*\\?[\"']"
            rf"|(?i:-(?:{words})[a-z0-9_-]*\s)|{_SCAN_LOOKS}"
        )
        for pattern in rules.patterns:
            scan += f"|(?:{pattern})"
        options = re2.Options()
        options.max_mem = 64 << 20
        options.log_errors = False
        self._scan = re2.compile(scan.encode(), options)
        self._flags = re2.compile(f"null|{scan}".encode(), options)
        self._names: dict[str, bool] = {}

    def suspect(self, body: bytes) -> bool:
        """Whether JSON bytes hold anything that could be a secret (may err to true)."""
        return self._scan.search(body) is not None

    def flagged(self, bodies: Sequence[bytes]) -> set[int]:
        """Return the indexes of the bodies that need a closer look.

        Those that are suspect, and those that hold ``null`` (which may be a NaN): one
        pass over all bytes is cheaper than several over each body.
        """
        found: set[int] = set()
        joined = b"\n".join(bodies)
        match = self._flags.search(joined)
        if match is None:
            return found
        ends = list(accumulate(len(body) + 1 for body in bodies))
        while match is not None:
            index = bisect_right(ends, match.start())
            found.add(index)
            # On with the next body: a match may begin in one body and end in another.
            match = self._flags.search(joined, ends[index])
        return found

    def clean(self, value: Any) -> Any:
        """Return ``value`` without secrets; what is clean is returned as it is, not copied."""
        return self._walk(value, 0)

    def text(self, text: str) -> str:
        """Return ``text`` without what looks like a secret."""
        return self._text(text)

    def json(self, record: Any) -> bytes:
        """Return any decoded record as JSON text without secrets, for the rejected store.

        Unlike the accept path this writes what is not valid JSON elsewhere too: huge
        integers, NaN, lone surrogates (escaped), keys that are no strings, bytes.
        """
        cleaned = self._walk(_plain(record, 0), 0)
        return json.dumps(cleaned, ensure_ascii=True, separators=(",", ":")).encode("ascii")

    def is_secret_name(self, name: str) -> bool:
        """Whether a key of this name holds a secret."""
        known = self._names.get(name)
        if known is None:
            squeezed = _SQUEEZE.sub("", name.lower())
            known = squeezed.endswith(self._endings)
            if len(self._names) < 10_000:
                self._names[name] = known
        return known

    def _walk(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if depth > MAX_DEPTH:
            return value
        if kind is dict:
            changed: dict[Any, Any] | None = None
            for key, child in value.items():
                if type(key) is str and (
                    self.is_secret_name(key) or (key in _PAIRED and self._names_secret(value))
                ):
                    new = self._hide(child, depth + 1)
                else:
                    new = self._walk(child, depth + 1)
                if new is not child:
                    if changed is None:
                        changed = dict(value)
                    changed[key] = new
            return value if changed is None else changed
        if kind is list:
            items = [self._walk(child, depth + 1) for child in value]
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else items
        return value

    def _names_secret(self, pair: dict[Any, Any]) -> bool:
        """Whether ``{"name": "DB_PASSWORD", "value": ...}`` is a secret's.

        The name may stand under ``key`` or, in a list of changes, under ``field``.
        """
        return any(
            type(name) is str and self.is_secret_name(name)
            for name in (pair.get("name"), pair.get("key"), pair.get("field"))
        )

    def _hide(self, value: Any, depth: int) -> Any:
        """A secret's value: every leaf of a list; an object is looked into key by key."""
        kind = type(value)
        if value is None or kind is bool or value == "" or value == REPLACEMENT:
            return value
        if kind is dict:
            walked = self._walk(value, depth)
            return {**walked, "value": REPLACEMENT} if "value" in walked else walked
        if kind is list:
            return [self._hide(child, depth + 1) if depth < MAX_DEPTH else child for child in value]
        return REPLACEMENT

    def _text(self, text: str) -> str:
        if len(text) < 6:
            return text
        try:
            for look in self._looks:
                if look.search(text) is not None:
                    text = look.sub(REPLACEMENT, text)
            for look in self._after:
                if look.search(text) is not None:
                    text = look.sub(_keep_front, text)
        except UnicodeEncodeError:  # a lone surrogate: the pipeline refuses it; hide it whole
            return REPLACEMENT
        return text


def _keep_front(match: Any) -> str:
    tail = "@" if match.group(0).endswith("@") and "://" in match.group(1) else ""
    return f"{match.group(1)}{REPLACEMENT}{tail}"


def _loose(key: str) -> str:
    return r"[_. \-]?".join(re.escape(part) for part in re.findall(r"[A-Za-z0-9]+", key))


def _check(pattern: str) -> None:
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as wrong:
        raise ConfigError(
            f"not an RE2 pattern: {pattern!r}: {wrong}", where="collector.redaction.patterns"
        ) from wrong
    if compiled.search("") is not None:
        raise ConfigError(
            f"the pattern matches the empty text: {pattern!r}", where="collector.redaction.patterns"
        )


def _plain(value: Any, depth: int) -> Any:
    """Turn decoded MessagePack into what ``json`` can write, bounded in depth."""
    if depth > MAX_DEPTH:
        return "[too deep]"
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else str(key): _plain(child, depth + 1)
            for key, child in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(child, depth + 1) for child in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return str(value)
