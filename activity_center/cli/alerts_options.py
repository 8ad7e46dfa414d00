"""What the commands of ``activity-center alerts`` share: options, configuration, rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from activity_center.cli.options import config_file_option

if TYPE_CHECKING:
    from activity_center.alerting import Rule
    from activity_center.config import Config
    from activity_center.config_alerts import AlertsConfig


config_option = config_file_option("the cluster, rules of your own, working hours, webhooks")


def read_config(file: str | None) -> tuple[Config | None, AlertsConfig]:
    """Read the configuration, if one is named; its section ``alerts``, else the defaults."""
    from activity_center import config as configuration
    from activity_center.config_alerts import AlertsConfig

    config = configuration.load(file) if file else None
    return config, config.alerts if config else AlertsConfig()


def chosen_rules(alerts: AlertsConfig, names: Sequence[str]) -> list[Rule]:
    """Read our rules and the user's, and return those that are named; none: all."""
    from activity_center.alerting import load_rules
    from activity_center.alerting.loading import of_names

    return of_names(load_rules(own=alerts.rules_dir), names)


def readable_rules(alerts: AlertsConfig, names: Sequence[str]) -> tuple[list[Rule], bool]:
    """As :func:`chosen_rules`, for who only looks: without those whose files are wrong.

    Returns:
        The rules, and whether a file is wrong, which is then said on standard error.

    Raises:
        VocabularyError: the file of a rule that is named is wrong.
    """
    from activity_center.alerting import load_rules
    from activity_center.alerting.loading import of_names
    from activity_center.errors import VocabularyError

    wrong: dict[str, VocabularyError] = {}
    rules = load_rules(own=alerts.rules_dir, wrong=wrong)
    for name in names:
        if name in wrong:
            raise wrong[name]
    for one in wrong.values():
        click.echo(f"activity-center: {one}", err=True)
    return of_names(rules, names), bool(wrong)
