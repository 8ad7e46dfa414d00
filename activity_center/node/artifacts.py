"""What the embedded node is made of: pinned coordinates, sizes and SHA-256 (``artifacts.json``)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

PINNED: Final = Path(__file__).with_name("artifacts.json")


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a Maven repository.

    Attributes:
        coordinates: ``group:artifact:version`` or ``group:artifact:version:packaging``.
        bytes: its size.
        sha256: its digest in lower-case hexadecimal.
    """

    coordinates: str
    bytes: int
    sha256: str

    @property
    def group(self) -> str:
        """The Maven group id."""
        return self.coordinates.split(":")[0]

    @property
    def name(self) -> str:
        """The Maven artifact id."""
        return self.coordinates.split(":")[1]

    @property
    def version(self) -> str:
        """The Maven version."""
        return self.coordinates.split(":")[2]

    @property
    def packaging(self) -> str:
        """``jar`` unless the coordinates say otherwise."""
        return (*self.coordinates.split(":"), "jar")[3]

    @property
    def filename(self) -> str:
        """The name of the file in a Maven repository, and in our cache."""
        return f"{self.name}-{self.version}.{self.packaging}"


@dataclass(frozen=True, slots=True)
class Module:
    """A module of OpenSearch that is published as a jar: its own jar and what it runs with."""

    name: str
    classname: str
    description: str
    jars: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin of OpenSearch that is published as a zip, and jars that it lacks."""

    name: str
    archive: Artifact
    jars: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True)
class Pinned:
    """The content of ``artifacts.json``.

    Attributes:
        opensearch: version of OpenSearch.
        java: lowest Java version, as module descriptors name it.
        digest: short digest of the file: another content is another distribution.
    """

    opensearch: str
    java: str
    server: Artifact
    modules: tuple[Module, ...]
    security: Plugin
    digest: str

    def needed(self, *, secure: bool) -> tuple[Artifact, ...]:
        """Return every artifact of a distribution, the largest first."""
        parts = [self.server, *(jar for module in self.modules for jar in module.jars)]
        if secure:
            parts += [self.security.archive, *self.security.jars]
        return tuple(sorted(parts, key=lambda part: -part.bytes))


def _artifact(section: dict[str, Any]) -> Artifact:
    return Artifact(**section)


@cache
def pinned() -> Pinned:
    """Return the pinned artifacts, read once."""
    content = PINNED.read_bytes()
    document = json.loads(content)
    security = document["security"]
    return Pinned(
        opensearch=document["opensearch"],
        java=document["java"],
        server=_artifact(document["server"]),
        modules=tuple(
            Module(
                name=module["name"],
                classname=module["classname"],
                description=module["description"],
                jars=tuple(_artifact(jar) for jar in module["jars"]),
            )
            for module in document["modules"]
        ),
        security=Plugin(
            name=security["name"],
            archive=_artifact(security["archive"]),
            jars=tuple(_artifact(jar) for jar in security["jars"]),
        ),
        digest=hashlib.sha256(content).hexdigest()[:8],
    )
