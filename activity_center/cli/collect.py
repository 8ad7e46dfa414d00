"""``activity-center collect``: run the collector."""

from __future__ import annotations

import click

from activity_center.cli import needing
from activity_center.cli.options import config_file_option


@click.command(name="collect")
@config_file_option("docs/configuration.md says what stands there", required=True)
@click.option("--check", is_flag=True, help="Check the configuration and the sources, then end.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=None, help="Processes; default: the file's."
)
@click.option("--worker", type=click.IntRange(0, 63), default=None, hidden=True)
def command(config_file: str, check: bool, workers: int | None, worker: int | None) -> None:
    """Take events, normalize them, make them durable and deliver them.

    Ends on SIGTERM after draining; SIGHUP reads the configuration again. A second
    collector on the same data folder is refused.

    \b
    Examples:
      activity-center collect --config activity-center.yml
      activity-center collect --config activity-center.yml --check
      activity-center collect --config activity-center.yml --workers 2
    """
    import signal

    # First of all: SIGHUP during the imports would end the process. It stays pending until
    # the collector can reload.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    with needing("collector"):
        from collector.check import check_config
        from collector.run import run_supervisor, run_worker

    config, stages = check_config(config_file, make_key=not check)
    if check:
        listeners = len(config.collector.forward) + len(config.collector.http)
        click.echo(f"{config_file}: right ({listeners} listeners, {len(config.senders)} senders)")
        return
    count = workers or config.collector.workers
    if worker is not None:
        code = run_worker(config, stages, worker, max(count, worker + 1))
    elif count == 1:
        code = run_worker(config, stages, 0, 1)
    else:
        code = run_supervisor(config, count)
    raise click.exceptions.Exit(code)
