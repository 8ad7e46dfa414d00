"""Paths: ``user.name``, ``annotations."a.b/c"``, ``targets[0].id``, ``$event.name``.

Steps are separated by dots; a key with dots, spaces or brackets stands in quotes; ``[0]``
is an element of a list, ``[-1]`` the last one. ``$name`` starts from something named: an
element of ``each``, a ``let``, the record (``$record``), what held it (``$envelope``),
the tag (``$tag``). ``*`` is for ``drop`` and ``redact`` alone.
"""

from __future__ import annotations

import re
from typing import Final

from collector.mapping.model import STAR, Step

MAX_STEPS: Final = 12
_STEP: Final = re.compile(
    r'(?P<name>[^\s."\[\]{}$*]+)|"(?P<quoted>[^"]+)"|\[(?P<index>-?[0-9]{1,4})\]|(?P<star>\*)'
)
_ROOT: Final = re.compile(r"\$([a-z][a-z0-9_]*)")
_SQUEEZE: Final = re.compile(r"[^a-z0-9]")
# fmt: off
_SECRET_ENDINGS: Final = (
    "password", "passwd", "passphrase", "pwd", "secret", "secretkey", "secretaccesskey", "token",
    "apikey", "accesskey", "privatekey", "signingkey", "encryptionkey", "authorization", "cookie",
    "setcookie", "credential", "credentials", "connectionstring", "otp", "totp", "mfacode",
    "recoverycode", "cvv", "cvc",
)
# fmt: on


class PathError(Exception):
    """A path cannot be read; the parser turns it into a finding."""


def parse_path(text: str, *, stars: bool = False) -> tuple[str | None, tuple[Step, ...]]:
    """Return the name after ``$`` (or ``None``) and the steps.

    Raises:
        PathError: with what is wrong, in words.
    """
    root = None
    at = 0
    steps: list[Step] = []
    match = _ROOT.match(text)
    if match:
        root, at = match.group(1), match.end()
    while at < len(text):
        if text[at] == "." and (steps or root is not None):
            at += 1
            bracket = False
        else:
            bracket = bool(steps or root is not None)
        match = _STEP.match(text, at)
        if match is None or (bracket and match.group("index") is None):
            raise PathError(
                f"{text!r} is no path (at character {at + 1}): steps are separated by dots,"
                ' a key with dots or spaces stands in quotes: a."b.c"'
            )
        steps.append(_step(match, text, stars))
        at = match.end()
    if root is None and not steps:
        raise PathError("a path must not be empty")
    if len(steps) > MAX_STEPS:
        raise PathError(f"{text!r} has more than {MAX_STEPS} steps")
    return root, tuple(steps)


def _step(match: re.Match[str], text: str, stars: bool) -> Step:
    if match.group("star"):
        if not stars:
            raise PathError(f"{text!r}: * stands only in drop and redact; use each")
        return STAR
    if match.group("index"):
        return int(match.group("index"))
    return match.group("quoted") or match.group("name")


def is_secret(key: object) -> bool:
    """Whether a key of this name holds a secret, by its ending, in any spelling."""
    return isinstance(key, str) and _SQUEEZE.sub("", key.lower()).endswith(_SECRET_ENDINGS)
