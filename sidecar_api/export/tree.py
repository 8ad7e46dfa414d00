"""Dotted names as the tree in which documents have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Tree = dict[str, Any]


def tree(leaves: Mapping[str, Any]) -> Tree:
    """Return dotted names with their values as a tree: part -> subtree, or the value."""
    root: Tree = {}
    for name, value in leaves.items():
        *parents, leaf = name.split(".")
        node = root
        for part in parents:
            node = node.setdefault(part, {})
        node[leaf] = value
    return root
