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


def name_what_is_outside(_app: Sphinx, docname: str, source: list[str]) -> None:
    """Links that leave docs/ are for readers of the repository: here they become names.

    tests/docs checks that each of them leads somewhere.
    """
    depth = docname.count("/")

    def name(link: re.Match[str]) -> str:
        label, up, path = link.groups()
        return f"{label} (`{path}`)" if up.count("../") > depth else link.group(0)

    source[0] = re.sub(r"\[([^\]]+)\]\(((?:\.\./)+)([^)]*)\)", name, source[0])


def setup(app: Sphinx) -> None:
    """Register what happens to each page before it is parsed."""
    app.connect("source-read", name_what_is_outside)
