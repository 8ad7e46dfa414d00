"""Which addresses stay on this machine."""

from __future__ import annotations

import subprocess
import sys

from activity_center.address import binds_loopback, is_loopback


def test_hosts() -> None:
    """Only literal loopback addresses and ``localhost`` count; names are not looked up."""
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"))
    assert not any(
        is_loopback(host) for host in ("", "0.0.0.0", "::", "localhost.example", "10.0.0.1")
    )


def test_binds() -> None:
    """Only what cannot leave the machine counts as loopback."""
    assert all(binds_loopback(b) for b in ("127.0.0.1:1", "[::1]:1", "localhost:1", "unix:/x"))
    assert not any(
        binds_loopback(b) for b in ("0.0.0.0:1", "[::]:1", "example.org:1", "10.0.0.1:1")
    )


def test_the_emitter_loads_no_configuration() -> None:
    """A product that emits pays for no part that reads ``activity-center.yml``."""
    code = "import sys, activity_center.emit; sys.exit('activity_center.config' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
