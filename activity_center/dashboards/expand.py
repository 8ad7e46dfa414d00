"""``{{verb NAME}}`` and ``{{critical}}`` in a query: the catalogue's actions."""

from __future__ import annotations

import re
from typing import Final

from activity_center.errors import VocabularyError
from activity_center.vocabulary import actions

_PLACEHOLDER: Final = re.compile(r"\{\{(.*?)\}\}")


def expand(query: str) -> str:
    """Return the query with the actions in place of what stands for them.

    Raises:
        VocabularyError: nothing stands behind a placeholder.
    """
    return _PLACEHOLDER.sub(lambda found: _actions(found.group(1)), query)


def _actions(asked: str) -> str:
    kind, _, name = asked.strip().partition(" ")
    found = [
        one.name
        for one in actions().values()
        if (kind == "verb" and one.verb == name) or (asked.strip() == "critical" and one.critical)
    ]
    if not found:
        raise VocabularyError(
            f"{{{{{asked}}}}} stands for no action",
            where="dashboards",
            hint="{{verb NAME}} with a verb of actions.yml, or {{critical}}",
        )
    return f"({' or '.join(found)})"
