"""The channels on which processes are streamed: shipped ones, and those of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from activity_center.config import Config

FILE: Final = Path(__file__).with_name("channels.yml")
ICON: Final = "workflow"
"""Of a channel that the configuration adds."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A kind of process.

    Attributes:
        name: as processes say it.
        icon: name of an icon of the page.
        steps: names of the usual steps in order; a process may announce others.
    """

    name: str
    label: str
    description: str
    icon: str
    steps: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as API and command have it."""
        return {**asdict(self), "steps": list(self.steps)}


def channels(config: Config | None = None) -> Mapping[str, Channel]:
    """Return the channels by name, in the order of the file, added ones behind.

    Args:
        config: its channels are added, or put their words in place of the shipped ones.

    Raises:
        VocabularyError: the file cannot be read.
    """
    found = dict(_shipped())
    for name, one in (config.channels if config else {}).items():
        known = found.get(name) or Channel(name, name, "", ICON, ())
        found[name] = replace(
            known,
            label=one.label or known.label,
            description=one.description or known.description,
            steps=one.steps or known.steps,
        )
    return MappingProxyType(found)


@cache
def _shipped() -> Mapping[str, Channel]:
    from activity_center.vocabulary.files import read  # a program that watches has no YAML

    return {
        name: Channel(
            name=name,
            label=entry["label"],
            description=entry["description"],
            icon=entry["icon"],
            steps=tuple(entry["steps"]),
        )
        for name, entry in read(FILE).document["channels"].items()
    }
