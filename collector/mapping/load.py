"""Loading mappings: the shipped ones beside this package, and a folder of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from activity_center.errors import SourceError
from activity_center.vocabulary import Field, fields
from collector.mapping.document import HINT, read
from collector.mapping.generate import generate
from collector.mapping.parse import parse
from collector.mapping.source import Source

SHIPPED: Final = Path(__file__).resolve().parent.parent / "sources"
FILE: Final = "source.yml"


def load(folder: Path, vocabulary: Mapping[str, Field] | None = None) -> Source:
    """Load, check and compile the mapping in ``folder``.

    Args:
        folder: holds ``source.yml``; its name is the name of the source.
        vocabulary: fields by name; default the vocabulary of this installation.

    Raises:
        SourceError: every finding with file, line, column and rule.
    """
    known = fields() if vocabulary is None else vocabulary
    document, findings = read(folder / FILE)
    if document["name"] != folder.name:
        findings.add(("name",), f"{document['name']!r} stands in a folder named {folder.name!r}")
    model = parse(document, findings, known)
    _check_tags(document, findings)
    findings.check()
    return Source(document, folder, model, generate(model, known))


def load_all(own: Path | None = None) -> dict[str, Source]:
    """Load the shipped mappings and those in ``own``; one of the user's own replaces a shipped one.

    Raises:
        SourceError: a mapping is wrong, or ``own`` holds none.
    """
    result: dict[str, Source] = {}
    for root in [SHIPPED] if own is None else [SHIPPED, own]:
        folders = sorted(path.parent for path in root.glob(f"*/{FILE}"))
        if not folders and root is own:
            raise SourceError(f"no */{FILE} in it", where=str(root), hint=HINT)
        for folder in folders:
            source = load(folder)
            result[source.name] = source
    return result


def _check_tags(document: Mapping[str, Any], findings: Any) -> None:
    from collector.mapping.router import TagError, tag_pattern

    for index, tag in enumerate(document.get("match", {}).get("tags", ())):
        try:
            tag_pattern(tag)
        except TagError as wrong:
            findings.add(("match", "tags", index), str(wrong))
