"""The command line ``activity-center``: one verb a file, imported when it is used.

Exit codes of every verb: 0 done, 1 failed, 2 wrong use or drift found.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import click

VERBS: Final[dict[str, str]] = {
    "archive": "List what was archived, and bring it back.",
    "alerts": "List, explain, test and run alert rules.",
    "catalogue": "List and explain the actions that the catalogue knows.",
    "collect": "Run the collector.",
    "dashboards": "Export, compare and import what OpenSearch Dashboards shows.",
    "demo": "Bring everything up and play a month of three organizations.",
    "doctor": "Check the cluster and say what to do.",
    "export": "Check a file that was exported from the record.",
    "generate": "Write templates, schema and reference tables from the vocabulary.",
    "ingest": "Read activities from a file or standard input.",
    "install": "Plan and apply what the cluster needs.",
    "node": "Start and stop the embedded OpenSearch.",
    "openapi": "Print the description of the API.",
    "processes": "List and watch long operations, step by step.",
    "proposals": "Judge what AI agents proposed, who decided, and what ran.",
    "rejected": "List, show and replay rejected events.",
    "retention": "Show what is kept until when, and carry it out.",
    "serve": "Run the sidecar: the API and the page over the record.",
    "sources": "List, show, test and try source mappings.",
    "tail": "Follow new activities in the terminal.",
}
"""Verb -> one-line help. ``activity_center/cli/<verb>.py`` defines ``command``."""


def build() -> click.Group:
    """Return the click group with lazily loaded verbs."""
    import click

    from activity_center import __version__

    class Verbs(click.Group):
        def list_commands(self, ctx: click.Context) -> list[str]:
            return sorted(VERBS)

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            if cmd_name not in VERBS:
                return None
            command: click.Command = import_module(f"activity_center.cli.{cmd_name}").command
            return command

        def resolve_command(
            self, ctx: click.Context, args: list[str]
        ) -> tuple[str | None, click.Command | None, list[str]]:
            if args[0] not in VERBS and not args[0].startswith("-"):
                ctx.fail(f"No such command {args[0]!r}.{_meant(args[0])}")
            return super().resolve_command(ctx, args)

        def invoke(self, ctx: click.Context) -> Any:
            try:
                return super().invoke(ctx)
            except OSError as wrong:
                # click takes every EPIPE for a reader of stdout that has gone, and ends
                # silently: a connection that broke must be told.
                if wrong.errno != errno.EPIPE or _reader_gone():
                    raise
                from activity_center.errors import ActivityCenterError

                raise ActivityCenterError(f"a connection broke: {wrong.strerror}") from wrong

        def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            with formatter.section("Commands"):
                formatter.write_dl(sorted(VERBS.items()))

    @click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
    @click.version_option(__version__, prog_name="activity-center")
    def group() -> None:
        """The activity record: every action, every actor, and what the AI did.

        \b
        Examples:
          activity-center demo
          activity-center tail --since 1h --action delete
          activity-center doctor
          activity-center ingest audit.log --source kubernetes-audit --config activity-center.yml
        """

    return group


def program() -> str:
    """Return how this program was called, for commands that are printed to be copied.

    ``activity-center`` when that finds it, else the path that it was called by.
    """
    name, called = "activity-center", Path(sys.argv[0])
    if called.name != name or os.sep not in sys.argv[0] or not called.exists():
        return name
    found = shutil.which(name)
    return name if found and called.samefile(found) else shlex.quote(str(called))


@contextlib.contextmanager
def needing(extra: str) -> Iterator[None]:
    """Import what an optional part needs.

    Args:
        extra: the extra of this distribution that installs it.

    Raises:
        ActivityCenterError: a package is not there; says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package in ("", "activity_center", "collector", "sidecar_api"):
            raise
        from activity_center.errors import ActivityCenterError

        raise ActivityCenterError(
            f"the package {package} is not installed",
            hint=f"pip install 'activity-center[{extra}]'",
        ) from missing


def _meant(word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, VERBS, n=2)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _reader_gone() -> bool:
    """Whether stdout or stderr is a pipe, or a socket, that nobody reads any more."""
    import select

    for stream in (sys.stdout, sys.stderr):
        try:
            poll = select.poll()
            poll.register(stream.fileno(), 0)
            if any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0)):
                return True
        except (AttributeError, OSError, ValueError):  # none, closed, or not a file
            continue
    return False


def main() -> None:
    """Entry point: run a verb; our own errors become one message and exit code 1."""
    try:
        import click
    except ModuleNotFoundError:
        sys.exit("activity-center: the command line needs: pip install 'activity-center[cli]'")
    from activity_center.errors import ActivityCenterError, ConfigError

    try:
        code = build()(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except ConfigError as wrong:
        click.echo(f"activity-center: {wrong}", err=True)
        sys.exit(2)
    except ActivityCenterError as failed:
        click.echo(f"activity-center: {failed}", err=True)
        sys.exit(1)
    except OSError as failed:
        where = f"{failed.filename}: " if failed.filename else ""
        click.echo(f"activity-center: {where}{failed.strerror or failed}", err=True)
        sys.exit(1)
