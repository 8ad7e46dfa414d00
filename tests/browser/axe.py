"""axe-core in a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Page

SOURCE: Final = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
GRAVE: Final = ("serious", "critical")


class Axe:
    """Runs axe over what a page shows now (WCAG 2.2 A and AA, and best practices)."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def findings(self) -> list[str]:
        """Return serious and critical findings: rule, then each element."""
        # Evaluated by the debugger, which the page's content security policy does not concern.
        if not self._page.evaluate("'axe' in window"):
            self._page.evaluate(SOURCE.read_text())
        result = self._page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{found['id']} ({found['impact']}): {node['html'][:200]} {node['failureSummary']}"
            for found in result["violations"]
            if found["impact"] in GRAVE
            for node in found["nodes"]
        ]
