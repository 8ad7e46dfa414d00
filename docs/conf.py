"""Sphinx: MyST pages, furo, warnings are errors (``make docs``)."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

import activity_center

project = "Activity Center"
release = version = activity_center.__version__
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
html_theme = "furo"
html_title = f"{project} {release}"
html_show_copyright = False


def keep_links_into_the_tree(_app: Sphinx, _docname: str, source: list[str]) -> None:
    """Links to files outside docs/ are for readers of the repository: here they become names.

    tests/docs checks that each of them resolves.
    """
    source[0] = re.sub(r"\[([^\]]+)\]\(((?:\.\./)+(?!reference)[^)]*)\)", _outside, source[0])


def _outside(match: re.Match[str]) -> str:
    label, target = match.group(1), match.group(2)
    inside = target.lstrip("./").split("/")[0]
    tops = {"deploy", "collector", "activity_center", "tests", "bench", "opensearch", "README.md"}
    tops |= {"CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "Makefile", ".ci"}
    return f"{label} (`{target.replace('../', '')}`)" if inside in tops else match.group(0)


def setup(app: Sphinx) -> None:
    """Register what happens to each page before it is parsed."""
    app.connect("source-read", keep_links_into_the_tree)
