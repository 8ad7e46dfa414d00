"""Every error that this project raises on purpose.

::

    ActivityCenterError             what went wrong, where, and what to do next
    ├── ConfigError                 a configuration file or an option is wrong
    ├── VocabularyError             a vocabulary file (fields, actions, ...) is wrong
    ├── SourceError                 a source mapping is wrong (file, line, rule)
    ├── NodeError                   the embedded OpenSearch could not be had or started
    ├── ClusterError                OpenSearch answered something that we cannot go on with
    ├── IncompleteAnswer            OpenSearch answered with part of the documents
    ├── BusUnavailable              the step bus cannot be asked now; trying again may help
    ├── SpoolFull                   no room: the sender must wait (carries retry_after)
    ├── SpoolFailed                 the disk failed: nothing may be acknowledged any more
    ├── NotRecorded              the emitter could not make durable what had to be recorded
    ├── NotApproved              nobody allowed what an agent wanted to do: it was not done
    ├── WatchEnded                  processes cannot be watched, and trying again would not help
    └── ProtocolError               a peer broke its protocol: the connection is closed

Bad input raises one of these, never a bare ``ValueError``.
"""

from __future__ import annotations

from typing import Final

SYNTAX: Final = (
    "look at this line and those before it: indentation, brackets, quotes, a ':' within a text"
)
"""The next step where a file is no YAML."""
ENCODING: Final = "save it as UTF-8; is it the right file?"
"""The next step where a file is no UTF-8."""


class ActivityCenterError(Exception):
    """Root of all our errors.

    Args:
        message: what went wrong, in one sentence.
        where: file with line, or path inside a document, or address.
        hint: the next step for the person who reads it.
    """

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class ConfigError(ActivityCenterError):
    """A configuration file, an environment variable or an option is wrong."""


class VocabularyError(ActivityCenterError):
    """A vocabulary file breaks its schema or contradicts another one."""


class SourceError(ActivityCenterError):
    """A source mapping is wrong; ``where`` is ``file:line: rule``."""


class NodeError(ActivityCenterError):
    """The embedded OpenSearch could not be downloaded, assembled or started."""


class ClusterError(ActivityCenterError):
    """OpenSearch cannot be reached, refuses us, or is of a kind we cannot use."""


class IncompleteAnswer(ClusterError):
    """OpenSearch answered 200 with only part of the shards."""


class BusUnavailable(ActivityCenterError):
    """The step bus cannot be reached, or refuses us; the caller tries again later."""


class SpoolFull(ActivityCenterError):
    """There is no room in the spool, or in this sender's share of it.

    Args:
        retry_after: seconds after which the sender should try again.
    """

    def __init__(self, message: str, *, retry_after: int = 5, where: str | None = None) -> None:
        super().__init__(message, where=where)
        self.retry_after = retry_after


class SpoolFailed(ActivityCenterError):
    """A write or fdatasync failed; what was not acknowledged stays unacknowledged."""


class NotRecorded(ActivityCenterError):
    """An event that had to be recorded was not made durable (``require_record``)."""


class NotApproved(ActivityCenterError):
    """An agent's action was not approved, so it was not run."""


class WatchEnded(ActivityCenterError):
    """Processes cannot be watched, or no longer; another try would end the same way.

    Args:
        code: close code of the connection (docs/process-stream.md).
    """

    def __init__(
        self, message: str, *, code: int, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.code = code


class ProtocolError(ActivityCenterError):
    """A peer broke its protocol; the rim closes the connection and counts it."""
