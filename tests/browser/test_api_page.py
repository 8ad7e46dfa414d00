"""The pages that describe the API and errors: readable, no script, nothing serious for axe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import LOOKS

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Windows

NO_SIDEWAYS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.mark.parametrize(("size", "dark"), LOOKS)
def test_they_can_be_read(windows: Windows, site: Site, size: tuple[int, int], dark: bool) -> None:
    """The description, a kind of problem and an error: both themes, wide and narrow."""
    window = windows(size=size, dark=dark)
    shade = f"{'phone' if size[0] < 700 else 'wide'}-{'dark' if dark else 'light'}"
    found: dict[str, list[str]] = {}
    for name, path in (
        ("api", "/api"),
        ("problem", "/problems/forbidden"),
        ("error", "/there/is/no/such/page"),
    ):
        page = window.open(f"{site.url}{path}")
        window.shoot(f"{name}-{shade}")
        assert page.evaluate(NO_SIDEWAYS), f"{path} scrolls sideways"
        if wrong := window.axe():
            found[name] = wrong
    assert found == {}
