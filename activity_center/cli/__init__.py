"""The command line ``activity-center``: one verb a file, imported when it is used.

Exit codes of every verb: 0 done, 1 failed, 2 wrong use or drift found.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import click

VERBS: Final[dict[str, str]] = {
    "catalogue": "List and explain the actions that the catalogue knows.",
    "collect": "Run the collector.",
    "demo": "Bring everything up and play a day of an organization's life.",
    "doctor": "Check the cluster and say what to do.",
    "generate": "Write templates, schema and reference tables from the vocabulary.",
    "ingest": "Read activities from a file or standard input.",
    "install": "Plan and apply what the cluster needs.",
    "node": "Start and stop the embedded OpenSearch.",
    "rejected": "List, show and replay rejected events.",
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

        def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            with formatter.section("Commands"):
                formatter.write_dl(sorted(VERBS.items()))

    @click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
    @click.version_option(__version__, prog_name="activity-center")
    def group() -> None:
        """The activity record: every action, every actor, and what the AI did."""

    return group


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
