"""``activity-center alerts import``: Sigma rules as rules of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from activity_center.errors import ActivityCenterError


@click.command("import")
@click.argument("files", metavar="RULE.yml...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--into",
    type=click.Path(file_okay=False),
    help="Folder for the rules (alerts.rules_dir); default: they are printed.",
)
@click.option("--force", is_flag=True, help="Replace rules of the same name.")
def import_(files: tuple[str, ...], into: str | None, force: bool) -> None:
    """Turn Sigma rules into rules of ours.

    Fields of the Kubernetes audit log and ECS names are known. What cannot be said (regular
    expressions, words without a field, unknown fields) is refused by name. Each rule gets a
    sample made of its conditions; replace it by a real one, and run alerts test.

    Needs: pip install 'activity-center[sigma]'

    \b
    Examples:
      activity-center alerts import kubernetes_audit_exec.yml
      activity-center alerts import sigma/*.yml --into /etc/activity-center/rules
    """
    import yaml

    from activity_center.alerting.reading import text_of
    from activity_center.alerting.sigma import LARGEST, convert

    class Plain(yaml.SafeDumper):
        """Writes out what stands twice: rules are read without aliases."""

        def ignore_aliases(self, data: Any) -> bool:
            """Never make one."""
            return True

    made: dict[str, dict[str, Any]] = {}
    for name in files:
        try:
            with Path(name).open("rb") as opened:
                data = opened.read(LARGEST + 1)
        except OSError as wrong:
            raise ActivityCenterError(
                f"cannot read it: {wrong.strerror}", where=name, hint="name files with Sigma rules"
            ) from wrong
        found = convert(text_of(data, name), name)
        for rule in found.keys() & made.keys():
            raise ActivityCenterError(
                f"a rule of a file before it is named {rule} too",
                where=name,
                hint="change a title; no two rules have one name",
            )
        made |= found
    texts = {
        name: yaml.dump(one, Dumper=Plain, sort_keys=False, allow_unicode=True, width=100)
        for name, one in made.items()
    }
    if into is None:
        for name, text in texts.items():
            click.echo(f"# {name}.yml\n{text}")
        return
    folder = Path(into)
    folder.mkdir(parents=True, exist_ok=True)
    there = [name for name in texts if (folder / f"{name}.yml").exists()]
    if there and not force:
        raise ActivityCenterError(
            f"there already: {', '.join(there)}", where=into, hint="--force replaces them"
        )
    for name, text in texts.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
        click.echo(folder / f"{name}.yml")
