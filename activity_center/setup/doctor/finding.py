"""What a check finds, and how grave it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from activity_center.errors import ActivityCenterError


class Level(StrEnum):
    """``FAIL``: events are or will be lost, late or misplaced until it is mended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of one check.

    Attributes:
        check: the check's name; one check can have several findings.
        message: what was seen.
        advice: what to do; empty where all is well.
    """

    check: str
    level: Level
    message: str
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        """Plain values, for ``--json``."""
        return {key: str(value) for key, value in asdict(self).items()}


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, message)


def warn(check: str, message: str, advice: str) -> Finding:
    """It works, but."""
    return Finding(check, Level.WARN, message, advice)


def fail(check: str, message: str, advice: str) -> Finding:
    """It must be mended."""
    return Finding(check, Level.FAIL, message, advice)


def run(check: str, work: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Run a check; an error in it is a finding, and the other checks go on."""
    from opensearchpy.exceptions import AuthorizationException

    try:
        yield from work()
    except ActivityCenterError as wrong:
        if isinstance(wrong.__cause__, AuthorizationException):
            yield unreadable(check, f"what it takes ({wrong.message})")
            return
        where = f"{wrong.where}: " if wrong.where else ""
        yield fail(check, f"{where}{wrong.message}", wrong.hint or "see the message")


def unreadable(check: str, what: str) -> Finding:
    """The account in use may not look."""
    return warn(
        check,
        f"this account may not read {what}",
        "run doctor as an administrator: OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD",
    )
