"""Dotted field names as a tree: ``user.target.id`` -> user -> target -> id."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from activity_center.errors import VocabularyError
from activity_center.vocabulary import Field


@dataclasses.dataclass(slots=True)
class Tree:
    """One level: a field, an object that holds fields, or (a list of objects) both."""

    field: Field | None = None
    children: dict[str, Tree] = dataclasses.field(default_factory=dict)

    @property
    def required(self) -> bool:
        """Whether every document has it: the field itself or one below."""
        if self.field is not None:
            return self.field.required
        return any(child.required for child in self.children.values())


def tree(fields: Iterable[Field]) -> Tree:
    """Return the tree of ``fields``, in alphabetical order.

    Raises:
        VocabularyError: a field stands below another that is no list of objects.
    """
    root = Tree()
    for one in sorted(fields, key=lambda each: each.name):
        node = root
        for part in one.name.split("."):
            if node.field is not None and node.field.type != "object_array":
                raise VocabularyError(
                    f"{one.name} stands below {node.field.name}, which is a value",
                    where="fields.yml",
                )
            node = node.children.setdefault(part, Tree())
        node.field = one
    return root
