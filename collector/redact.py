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

# Names are compared in lower case without punctuation, with a trailing number or form
# ("passwords", "privateKeyPem", "api_key_2") taken off.
# fmt: off
_STRONG: Final = (  # also everything below an object of such a name
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "secretkey", "credential",
    "privatekey",
)
_KEY_ENDINGS: Final = (
    *_STRONG, "secretaccesskey", "token", "apikey", "accesskey", "signingkey", "encryptionkey",
    "authorization", "cookie", "setcookie", "connectionstring", "otp", "totp", "mfacode",
    "recoverycode", "cvv", "cvc",
)
_ANYWHERE: Final = ("password", "passwd", "passphrase", "passcode")
_HARMLESS: Final = (  # what says something of a password, and is none
    "policy", "length", "age", "at", "date", "time", "expiry", "expired", "expires", "required",
    "reset", "changed", "enabled", "disabled", "set", "count", "attempts", "failed", "status",
    "strength", "method", "type", "id", "url",
)
_FORMS: Final = re.compile(r"s?(?:value|text|plain|plaintext|pem|data|base64|b64|confirm"
                           r"|confirmation|hash)?[0-9]*$")
_SCAN_WORDS: Final = (
    "passw", "passphrase", "passcode", "pwd", "secret", "token", r"api[_.-]?key",
    r"access[_.-]?key", r"private[_.-]?key", r"signing[_.-]?key", r"encryption[_.-]?key",
    r"authori[sz]ation", "cookie", "credential", r"connection[_.-]?string", "otp", "mfa",
    "recovery", r"cv[vc]",
)
# Members that tell which secret it is, and not what it is.
_TELLING: Final = frozenset({
    "name", "id", "type", "kind", "version", "namespace", "uid", "status", "createdat",
    "updatedat", "expiresat", "lastusedat", "key", "field", "path", "ref", "scopes",
})
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
    # Backslashes: JSON within JSON.
    rf"(?i)(\b[a-z0-9_.-]*(?:{_TEXT_WORDS})\\*[\"']?\s*[=:]\s*\\*[\"']?)[^\s&;,'\"\\]{{3,}}",
    rf"(?i)((?:^|\s)-{{1,2}}[a-z0-9_-]*(?:{_TEXT_WORDS})\s+[\"']?)[^\s'\"]{{3,}}",
)
_SCAN_LOOKS: Final = (
    r"eyJ[A-Za-z0-9_-]{8}|PRIVATE KEY-----|(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_|github_pat_"
    r"|glpat-|xox[abeprs]-"
    r"|AIza|[rs]k_(?:live|test)_|sk-[A-Za-z0-9_-]{20}|npm_|pypi-|hvs\.|://[^/\s:@\"]*:[^/\s@\"]+@"
    r"|(?i:bearer |basic )"
)
_PLAIN, _SECRET, _WHOLE, _LIST = range(4)
"""What a name holds: nothing secret; a secret; one in all its parts; one if it is a list."""
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
        # Whether any of them is found: nearly all texts need this one look alone.
        every = "|".join(f"(?:{one})" for one in (*_LOOKS, *rules.patterns, *_AFTER))
        self._any = re2.compile(every, _options())
        words = "|".join((*_SCAN_WORDS, *(_loose(key) for key in rules.keys)))
        # A secret's name is a key (followed by quote and colon) or stands in a text
        # before "=", ":" or a space; the same words inside other texts are left alone.
        scan = (
            rf"(?i:{words})[A-Za-z0-9_. \-]*\\*[\"']?\s*[:=]"
            rf"|(?i:{words})[A-Za-z0-9_-]*\\*[\"']"
            rf"|(?i:-(?:{words})[a-z0-9_-]*\s)|{_SCAN_LOOKS}"
        )
        for pattern in rules.patterns:
            scan += f"|(?:{pattern})"
        self._scan = re2.compile(scan.encode(), _options())
        self._flags = re2.compile(f"null|{scan}".encode(), _options())
        self._names: dict[str, int] = {}

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
        return self._kind_of(name) != _PLAIN

    def _kind_of(self, name: str) -> int:
        known = self._names.get(name)
        if known is None:
            known = self._judge(_SQUEEZE.sub("", name.lower()))
            if len(self._names) < 10_000:
                self._names[name] = known
        return known

    def _judge(self, squeezed: str) -> int:
        """What a name in lower case without punctuation holds."""
        stem = _FORMS.sub("", squeezed)
        if stem.endswith(_STRONG) or squeezed.endswith(_STRONG):
            return _WHOLE
        if any(word in squeezed for word in _ANYWHERE):
            return _PLAIN if squeezed.endswith(_HARMLESS) else _WHOLE
        if squeezed.endswith("tokens"):  # a list of tokens, but max_tokens is a number
            return _LIST
        if stem.endswith(self._endings) or squeezed.endswith(self._endings):
            return _SECRET
        return _PLAIN

    def _walk(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if depth > MAX_DEPTH:  # nobody looks further down, so nothing from there is shown
            return REPLACEMENT if kind is dict or kind is list else value
        if kind is dict:
            changed: dict[Any, Any] | None = None
            for key, child in value.items():
                secret = self._kind_of(key) if type(key) is str else _PLAIN
                if secret == _PLAIN and key in _PAIRED:
                    secret = self._names_secret(value)
                if secret == _PLAIN or (secret == _LIST and type(child) is not list):
                    new = self._walk(child, depth + 1)
                else:
                    new = self._hide(child, depth + 1, whole=secret == _WHOLE)
                if new is not child:
                    if changed is None:
                        changed = dict(value)
                    changed[key] = new
            return self._clean_names(value if changed is None else changed)
        if kind is list:
            return self._walk_list(value, depth)
        return value

    def _clean_names(self, value: dict[Any, Any]) -> dict[Any, Any]:
        """A key can be a secret too, such as a session's token; its value stays."""
        secret = [key for key in value if type(key) is str and self._text(key) != key]
        if not secret:
            return value
        names = {key: f"{self._text(key)}-{n}" for n, key in enumerate(secret, 1)}
        return {names.get(key, key): child for key, child in value.items()}

    def _walk_list(self, value: list[Any], depth: int) -> list[Any]:
        """A list; in a command line the word after ``--password`` is hidden."""
        items = []
        after_flag = False
        for child in value:
            if after_flag and type(child) is str and not child.startswith("-"):
                items.append(self._hide(child, depth + 1, whole=False))
            else:
                items.append(self._walk(child, depth + 1))
            after_flag = (
                type(child) is str
                and child.startswith("-")
                and self.is_secret_name(child.lstrip("-"))
            )
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else items

    def _names_secret(self, pair: dict[Any, Any]) -> int:
        """What ``{"name": "DB_PASSWORD", "value": ...}`` holds.

        The name may stand under ``key`` or, in a list of changes, under ``field``.
        """
        for name in (pair.get("name"), pair.get("key"), pair.get("field")):
            if type(name) is str and self.is_secret_name(name):
                return _WHOLE
        return _PLAIN

    def _hide(self, value: Any, depth: int, *, whole: bool) -> Any:
        """A secret's value: every leaf of a list; of an object only ``value``.

        With ``whole`` all of an object but the members that tell which secret it is.
        """
        kind = type(value)
        if value is None or kind is bool or value == "" or value == REPLACEMENT:
            return value
        if depth > MAX_DEPTH:
            return REPLACEMENT
        if kind is dict:
            walked = self._walk(value, depth)
            return {
                key: self._hide(child, depth + 1, whole=whole)
                if key == "value" or (whole and not _tells(key))
                else child
                for key, child in walked.items()
            }
        if kind is list:
            return [self._hide(child, depth + 1, whole=whole) for child in value]
        return REPLACEMENT

    def _text(self, text: str) -> str:
        if len(text) < 6:
            return text
        try:
            if self._any.search(text) is None:
                return text
            for look in self._looks:
                if look.search(text) is not None:
                    text = look.sub(REPLACEMENT, text)
            for look in self._after:
                if look.search(text) is not None:
                    text = look.sub(_keep_front, text)
        except UnicodeEncodeError:  # a lone surrogate: the pipeline refuses it; hide it whole
            return REPLACEMENT
        return text


def _tells(key: Any) -> bool:
    return type(key) is str and _SQUEEZE.sub("", key.lower()) in _TELLING


def _options() -> Any:
    """Room for the automata of many patterns in one."""
    options = re2.Options()
    options.max_mem = 64 << 20
    options.log_errors = False
    return options


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
