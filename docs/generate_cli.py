"""Write ``docs/cli.md`` from the ``--help`` of every verb.

Run it as ``python docs/generate_cli.py``; ``--check`` writes nothing and exits with 2 when the
page is stale, as tests/docs does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from activity_center.cli import build

PAGE = Path(__file__).with_name("cli.md")
WIDTH = 88
HEAD = """\
# Command line

<!-- Written by docs/generate_cli.py from --help. Change the command, then run the script. -->

Every command exits with 0 when it is done, 1 when it failed, 2 on wrong use or when it found
drift; [operations](operations.md#exit-codes) has the table. Commands for scripts take `--json`.
Progress goes to stderr, results to stdout.
"""


def contexts(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    """Yield a section for ``command`` and for everything below it, in the order of ``--help``."""
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    depth = 2 if parent is None or parent.parent is None else 3
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield f"{'#' * depth} {context.command_path}\n\n```text\n{text}\n```\n"
    if isinstance(command, click.Group):
        for verb in command.list_commands(context):
            below = command.get_command(context, verb)
            if below is not None and not below.hidden:
                yield from contexts(below, verb, context)


def render() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *contexts(build(), "activity-center", None)])


def pages() -> dict[Path, str]:
    """The page as the code has it now."""
    return {PAGE: render()}


def main() -> int:
    """Write the page, or with ``--check`` compare it."""
    fresh = render()
    if "--check" in sys.argv[1:]:
        stale = not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != fresh
        if stale:
            print("docs/cli.md is stale: run python docs/generate_cli.py", file=sys.stderr)
        return 2 if stale else 0
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
