"""One line for one activity, safe to print on a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.text import Text

WIDTHS: Final = (19, 28, 28, 36, 16, 7)
"""Cells per column: time, action, actor, resource, organization, outcome."""
LEAST: Final = (14, 22, 9, 8, 6, 7)
"""Their cells on a terminal of 77; wider ones give all but the time evenly more, narrower ones
take from the action."""
SHORT_TIME: Final = 5
"""Cells that the time loses, its year, where the columns do not fit whole."""
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_OUTCOMES: Final = {"success": "green", "failure": "red", "unknown": "yellow"}


def printable(value: Any) -> str:
    r"""Return text that cannot steer a terminal.

    Control characters, line ends, direction overrides, zero-width and unassigned
    characters are written as escapes (``\x1b``, ``\u202e``).
    """
    text = value if isinstance(value, str) else "" if value is None else str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    if unicodedata.category(char) not in _UNSAFE:
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cells(document: Mapping[str, Any]) -> tuple[str, str, str, str, str, str]:
    """Return time (local), action, actor, resource, organization, outcome."""
    return (
        local_time(document.get("@timestamp")),
        printable(_at(document, "event.action")) or "-",
        _actor(document),
        _resource(document),
        printable(_at(document, "organization.id")) or "-",
        printable(_at(document, "event.outcome")) or "-",
    )


def row(document: Mapping[str, Any], *, width: int | None) -> Text:
    """Return the line.

    Args:
        width: cells of the terminal, to which the columns are cropped; ``None``: nothing
            is left out.
    """
    from rich.text import Text

    line = Text(no_wrap=True, overflow="ellipsis" if width else "ignore")
    values = cells(document)
    widths = fitted(width) if width else WIDTHS
    styles = ("dim", "bold", _actor_style(document), "", "cyan", _outcome_style(document))
    if widths[0] < WIDTHS[0]:
        values = (values[0][SHORT_TIME:], *values[1:])
    for value, wide, style in zip(values, widths, styles, strict=True):
        cell = Text(value, style=style)
        if width:
            cell.truncate(wide, overflow="ellipsis", pad=True)
        else:
            cell.pad_right(max(0, wide - cell.cell_len))
        line.append_text(cell).append("  ")
    line.rstrip()
    return line


def fitted(width: int) -> tuple[int, ...]:
    """Return the columns' widths for a terminal of ``width`` cells."""
    spare = width - 1 - 2 * (len(WIDTHS) - 1)
    if spare >= sum(WIDTHS):
        return WIDTHS
    if spare <= sum(LEAST):
        return (LEAST[0], max(LEAST[4], LEAST[1] + spare - sum(LEAST)), *LEAST[2:])
    whole = (LEAST[0], *WIDTHS[1:])
    left = spare - sum(LEAST)
    wanted = sum(whole) - sum(LEAST)
    return tuple(
        least + min(most - least, (most - least) * left // wanted)
        for least, most in zip(LEAST, whole, strict=True)
    )


def local_time(stamp: Any) -> str:
    """Return a stored time in this machine's zone, to the second."""
    try:
        moment = datetime.fromisoformat(stamp)
        return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (TypeError, ValueError, OverflowError, OSError):
        return printable(stamp) or "-"


def _at(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _actor(document: Mapping[str, Any]) -> str:
    names = ("user.email", "user.name", "user.full_name", "user.id", "service.name")
    person = next((found for name in names if (found := _at(document, name))), None)
    agent = _at(document, "gen_ai.agent.name") or _at(document, "gen_ai.agent.id")
    if agent:
        return f"{printable(agent)} for {printable(person)}" if person else printable(agent)
    return printable(person) or "-"


def _resource(document: Mapping[str, Any]) -> str:
    step = _at(document, "activity.step.name")
    if step:
        state = _at(document, "activity.step.state")
        return f"{printable(step)} {printable(state)}".strip()
    kind = printable(_at(document, "activity.resource.type"))
    name = printable(
        _at(document, "activity.resource.name") or _at(document, "activity.resource.id")
    )
    return f"{kind} {name}".strip() or "-"


def _actor_style(document: Mapping[str, Any]) -> str:
    return "magenta" if _at(document, "gen_ai.agent") else ""


def _outcome_style(document: Mapping[str, Any]) -> str:
    return _OUTCOMES.get(str(_at(document, "event.outcome")), "")
