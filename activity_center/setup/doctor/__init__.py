"""``doctor``: what is wrong with cluster and machine, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from activity_center.setup.doctor.finding import Finding, Level, run
from activity_center.setup.doctor.local import SpoolFolder, check_bus, check_data_dir, check_spools
from activity_center.setup.doctor.machines import check_machines
from activity_center.setup.doctor.permissions import check_delivery, check_maintenance
from activity_center.setup.doctor.server import (
    check_health,
    check_plugins,
    check_shards,
    check_version,
)
from activity_center.setup.doctor.streams import (
    check_completeness,
    check_streams,
    check_templates,
)

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.config import Config
    from activity_center.setup.desired import Desired

__all__ = ["Finding", "Level", "SpoolFolder", "diagnose", "diagnose_machine"]


def diagnose(
    client: OpenSearch,
    desired: Desired,
    *,
    delivery: OpenSearch | None = None,
    maintenance: OpenSearch | None = None,
) -> Iterator[Finding]:
    """Check the cluster; a check that fails does not keep the others from running.

    Args:
        client: for looking; an administrator sees most.
        delivery: the collector's own account; default: ``client``.
        maintenance: the collector's second account, if it has one.

    Yields:
        Findings in the order of the checks. If there is no answer at all, that alone.
    """
    reached = [*run("version", lambda: check_version(client))]
    yield from reached
    if any(finding.level is Level.FAIL for finding in reached):
        return
    checks: Sequence[tuple[str, Callable[[], Iterable[Finding]]]] = (
        ("plugins", lambda: check_plugins(client, relied=desired.plugin_evaluates)),
        ("health", lambda: check_health(client)),
        ("disk", lambda: check_machines(client)),
        ("shards", lambda: check_shards(client, len(desired.streams))),
        ("templates", lambda: check_templates(client, desired)),
        ("streams", lambda: check_streams(client, desired)),
        ("completeness", lambda: check_completeness(client)),
        (
            "permissions",
            lambda: check_delivery(delivery or client, dedicated=maintenance is not None),
        ),
    )
    for name, work in checks:
        yield from run(name, work)
    if maintenance is not None:
        second = maintenance
        yield from run("permissions", lambda: check_maintenance(second, desired))


def diagnose_machine(config: Config, spools: Sequence[SpoolFolder] | None) -> Iterator[Finding]:
    """Check this machine for the collector of ``config``.

    Args:
        spools: the workers' folders; ``None`` where they could not be looked at.
    """
    yield from run("data folder", lambda: check_data_dir(config.collector))
    yield from run("step bus", lambda: check_bus(config.bus))
    if spools is not None:
        yield from run("spools", lambda: check_spools(spools, config.collector.workers))
