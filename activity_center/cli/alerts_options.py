"""What the commands of ``activity-center alerts`` share: options, configuration, rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
    from activity_center.alerting.rules import of_names

    return of_names(load_rules(own=alerts.rules_dir), names)
