"""``user_agent.*`` from the header that a client sent (ECS user_agent fields)."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Final

from ua_parser import Parser, load_lazy_builtins
from ua_parser.re2 import Resolver

MAX_LENGTH: Final = 1024
"""Longer headers are kept but not parsed."""


@cache
def _parser() -> Parser:
    # On RE2, which we have anyway, the patterns take 9 MB; on ua-parser-rs they take 28 MB and
    # half the time (14 instead of 29 µs), which the cache below makes rare.
    return Parser(Resolver(load_lazy_builtins()))


@lru_cache(maxsize=8192)
def parsed(original: str) -> dict[str, Any]:
    """Return ``name``, ``version``, ``os``, ``device`` as far as they are known.

    The result is shared between calls: copy before changing it.
    """
    if len(original) > MAX_LENGTH:
        return {}
    try:
        result = _parser().parse(original)
    except UnicodeEncodeError:  # a lone surrogate: the writer says so
        return {}
    found: dict[str, Any] = {}
    if result.user_agent:
        agent = result.user_agent
        found["name"] = agent.family
        version = ".".join(part for part in (agent.major, agent.minor, agent.patch) if part)
        if version:
            found["version"] = version
    if result.os:
        system: dict[str, Any] = {"name": result.os.family}
        version = ".".join(
            part for part in (result.os.major, result.os.minor, result.os.patch) if part
        )
        if version:
            system["version"] = version
        found["os"] = system
    if result.device and result.device.family:
        found["device"] = {"name": result.device.family}
    return found
