"""The error tree is small, closed, and drawn where it is defined."""

from __future__ import annotations

import inspect
import re

from activity_center import errors


def classes() -> list[type[errors.ActivityCenterError]]:
    """Every error class of the module."""
    return [
        one
        for _, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, errors.ActivityCenterError)
    ]


def test_the_drawing_is_the_tree() -> None:
    """The tree at the top of the module names exactly the classes that are there."""
    drawn = set(re.findall(r"^(?:├── |└── |    │   )?(?:└── )?([A-Z]\w+)", tree(), re.M))
    assert drawn == {one.__name__ for one in classes()}


def tree() -> str:
    """The drawing in the module's docstring, its indentation removed."""
    text = inspect.getdoc(errors) or ""
    drawing = re.search(r"::\n\n((?:    .*\n)+)", text)
    assert drawing
    return re.sub(r"^    ", "", drawing.group(1), flags=re.M)


def test_every_error_says_where_and_what_next() -> None:
    """An error shows its place first and its hint on a line of its own."""
    error = errors.ConfigError("no such key", where="a.yml:3", hint="look at the reference")
    assert str(error) == "a.yml:3: no such key\n  hint: look at the reference"
    assert str(errors.ConfigError("no such key")) == "no such key"
