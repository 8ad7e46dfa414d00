"""``activity-center serve``: run the sidecar, the API and the page over the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from activity_center.cli import needing
from activity_center.cli.options import config_file_option

if TYPE_CHECKING:
    from activity_center.config import Config

MAX_PORT: Final = 65_535


@click.command(name="serve")
@config_file_option("docs/configuration.md says what stands there", required=True)
@click.option("--check", is_flag=True, help="Check the configuration, then end.")
@click.option("--bind", default=None, metavar="HOST:PORT", help="Address; default: the file's.")
def command(config_file: str, check: bool, bind: str | None) -> None:
    """Answer audit questions: API, page, exports, live tail.

    Ends on SIGTERM after the running requests; SIGHUP reads the configuration again, and a
    wrong one changes nothing.

    \b
    Examples:
      activity-center serve --config activity-center.yml
      activity-center serve --config activity-center.yml --check
      activity-center serve --config activity-center.yml --bind 127.0.0.1:8601
    """
    import signal

    # First of all: SIGHUP during the imports would end the process. It stays pending until
    # the server can reload.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    with needing("sidecar"):
        from gevent import monkey

        # Before anything that takes sockets, locks or TLS from the standard library.
        monkey.patch_all()
        from activity_center.tls import check_tls
        from sidecar_api.origin import address
        from sidecar_api.server import serve

    def read() -> Config:
        from activity_center.config import load

        config = load(config_file)
        return _bound(config, bind) if bind else config

    if not check:
        raise click.exceptions.Exit(serve(read))
    config = read()
    check_tls(config.sidecar.tls, "sidecar.tls")
    click.echo(f"{config_file}: right (the sidecar answers at {address(config.sidecar)})")
    known = config.identity
    if not (known.tokens or known.jwt or known.oidc or known.proxy or known.opensearch
            or known.development):  # fmt: skip
        click.echo(
            f"{config_file}: nobody gets in yet: there is no way to sign in\n"
            "  hint: say in identity who may; docs/configuration.md#people-roles-and-identity",
            err=True,
        )


def _bound(config: Config, bind: str) -> Config:
    """The configuration at another address, which must not open what the file keeps closed."""
    from dataclasses import replace

    from activity_center.address import binds_loopback
    from activity_center.errors import ConfigError

    host, _, port = bind.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= MAX_PORT:
        raise ConfigError(f"{bind!r} is no host:port", where="--bind")
    if binds_loopback(config.sidecar.bind) and not binds_loopback(bind):
        raise ConfigError(
            f"{bind}: the file keeps the sidecar on this machine",
            where="--bind",
            hint="write the address into sidecar.bind: there it is checked with all the rest",
        )
    return replace(config, sidecar=replace(config.sidecar, bind=bind))
