"""Which source mapping takes a record: by name, by tag, by the mappings' own tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import re2

from collector.mapping.source import Source

MAX_TAGS: Final = 4096
"""Tags come from senders: no more than this many are remembered."""
_GLOB: Final = re.compile(r"\*\*|\*|\{[^{}]*\}|[^*{}]+|[{}]")


Candidates = list[tuple[Source, Callable[[dict[str, Any]], bool] | None]]
"""Sources with the test that a record has to pass, ``None`` for none."""


class TagError(Exception):
    """A tag pattern is wrong; the loader turns it into a finding."""


def tag_pattern(pattern: str) -> Any:
    """Return an RE2 pattern for a Fluent tag pattern.

    ``*`` is one part of a tag, ``**`` any number of parts, also none; ``{a,b}`` either
    (https://docs.fluentd.org/configuration/config-file#how-do-the-match-patterns-work).

    Raises:
        TagError: braces that do not pair.
    """
    text = ""
    for piece in _GLOB.findall(pattern):
        if piece == "**":
            text += ".*"
        elif piece == "*":
            text += "[^.]*"
        elif piece.startswith("{") and len(piece) > 1:
            text += f"(?:{'|'.join(re2.escape(one.strip()) for one in piece[1:-1].split(','))})"
        elif piece in "{}":
            raise TagError(f"{pattern!r}: a brace without its other half")
        else:
            text += re2.escape(piece)
    # "a.**" takes "a" too, and "**.a" takes "a".
    if text.endswith(r"\..*"):
        text = text[: -len(r"\..*")] + r"(?:\..*)?"
    if text.startswith(r".*\."):
        text = r"(?:.*\.)?" + text[len(r".*\.") :]
    return re2.compile(f"(?s)^(?:{text})$")


class Router:
    """Finds the source of a record. Sources are asked by falling priority, then by name."""

    def __init__(self, sources: Iterable[Source]) -> None:
        ordered = sorted(sources, key=lambda one: (-one.priority, one.name))
        self.sources: dict[str, Source] = {one.name: one for one in ordered}
        self._patterns = [(one, [tag_pattern(tag) for tag in one.tags]) for one in ordered]
        self._tested: Candidates = [(one, one.test) for one in ordered if one.test is not None]
        self._tags: dict[str, Candidates] = {}

    def route(self, name: str | None, tag: str, record: dict[str, Any]) -> Source | None:
        """Return the source of ``record``, or ``None``; see :meth:`candidates`.

        Args:
            record: what the tests look at.
        """
        for source, test in self.candidates(name, tag):
            if test is None or test(record):
                return source
        return None

    def candidates(self, name: str | None, tag: str) -> Candidates:
        """Return the sources to ask in this order: the first whose test holds takes a record.

        Args:
            name: a source that the transport names; then nothing else is asked.
            tag: the Forward tag, or ``""``. A source whose tags match takes the record
                if its test holds or it has none.
        """
        if name is not None:
            named = self.sources.get(name)
            return [] if named is None else [(named, None)]
        if not tag:
            return self._tested
        found = self._tags.get(tag)
        return self._matching(tag) if found is None else found

    def _matching(self, tag: str) -> Candidates:
        try:
            found: Candidates = [
                (source, source.test)
                for source, patterns in self._patterns
                if any(pattern.search(tag) is not None for pattern in patterns)
            ]
        except UnicodeEncodeError:  # a lone surrogate in the tag
            found = []
        if len(self._tags) >= MAX_TAGS:
            self._tags.clear()
        found = self._tags[tag] = [*found, *self._tested]
        return found
