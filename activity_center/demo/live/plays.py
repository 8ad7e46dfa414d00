"""What is played: an operation of each channel, with what it prints and how it can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from activity_center.demo.workload.processes import CHANNELS, Channel

EFFECTS: Final[Mapping[str, str]] = {
    "cancel": "Stops after the step that runs, and takes back what can be taken back",
    "retry": "Begins again at the first step",
    "cleanup": "Removes what the operation made so far",
}


@dataclass(frozen=True, slots=True)
class Play:
    """One operation.

    Attributes:
        organization: number of the demo's organization.
        lines: what each step prints, ``{name}`` stands for what it works on.
        undo: what a cancelled or cleaned up one undoes, and what stays.
        leaves: what stays behind nevertheless.
        fails: step that fails at the first attempt, -1: none.
        cancelled: step at which somebody cancels it, -1: nobody does.
        silent: its program is killed in the middle.
    """

    channel: Channel
    organization: int
    lines: tuple[tuple[str, ...], ...]
    undo: str
    leaves: str = ""
    fails: int = -1
    cancelled: int = -1
    silent: bool = False

    @property
    def name(self) -> str:
        """What it works on."""
        return self.channel.names[0]

    @property
    def title(self) -> str:
        """What people call it."""
        return self.channel.title.format(self.name)


_OF: Final = {one.name: one for one in CHANNELS}

PLAYS: Final = (
    Play(
        _OF["ssl"],
        1,
        (
            ("{name} A 198.51.100.23", "CAA allows letsencrypt.org"),
            ("order created: 1 authorization pending",),
            ("http-01: token written", "asking the authority to look", "authorization valid"),
            ("chain of 3 certificates written", "nginx: configuration test is successful"),
        ),
        undo="The order was given up",
        fails=2,
    ),
    Play(
        _OF["git-deploy"],
        0,
        (
            ("HEAD is now at 4f2c91a fix rounding of totals",),
            ("added 412 packages in 6 s",),
            ("compiling 318 files", "bundle: 1.2 MB", "tests: 841 passed"),
            ("migration 0042_add_total: applied",),
            ("portal: 4 of 4 instances on 4f2c91a",),
        ),
        undo="The build folder was removed",
        leaves="Packages in the cache",
        cancelled=2,
    ),
    Play(
        _OF["cloud-transfer"],
        2,
        (
            ("session opened: multipart upload, 44 parts",),
            ("part 1 of 44", "part 2 of 44", "part 3 of 44", "part 4 of 44"),
            ("upload complete: etag 9b2e",),
        ),
        undo="The parts that were sent were deleted",
        silent=True,
    ),
    Play(
        _OF["server-provisioning"],
        0,
        (
            ("authenticated as project eu-1",),
            ("server 204 requested: cx32 in fsn1", "server 204 is running"),
            ("host key SHA256:t2Vx accepted", "root login switched off"),
            ("Setting up activity-agent (2.3.1) ...",),
            ("GET /healthz: 200",),
        ),
        undo="The server was deleted",
    ),
    Play(
        _OF["backup-restore"],
        2,
        (
            ("snapshot of /var/lib: 18.4 GB",),
            ("dumping shop_prod", "dumping shop_jobs", "2 databases, 3.1 GB"),
            ("packed 21.5 GB to 6.2 GB",),
            ("checksums of 18211 files are right",),
        ),
        undo="The unfinished archive was removed",
    ),
    Play(
        _OF["site-setup"],
        1,
        (
            ("user bakery created",),
            ("virtual host written: {name}",),
            ("database bakery created",),
            ("composer: 96 packages installed", "application answers"),
        ),
        undo="User, virtual host and database were removed",
    ),
    Play(
        _OF["docker-app-deploy"],
        0,
        (
            ("108: Pulling from portal", "digest: sha256:5d0c7e", "image is up to date"),
            ("portal-107 stopped",),
            ("portal-108 started",),
            ("GET / 200 in 41 ms",),
        ),
        undo="The former container was started again",
    ),
    Play(
        _OF["pqc-activation"],
        2,
        (
            ("OpenSSL 3.5.1",),
            ("groups: X25519MLKEM768:X25519",),
            ("nginx reloaded", "postfix reloaded"),
            ("handshake with X25519MLKEM768",),
        ),
        undo="The former configuration was put back",
    ),
    Play(
        _OF["migration"],
        1,
        (
            ("sent 18211 files, 4.1 GB",),
            ("copied 212 tables",),
            ("18211 of 18211 files are the same",),
            ("{name} A 198.51.100.40",),
        ),
        undo="The copy on the new host was deleted",
        leaves="The old host is as it was",
    ),
)
"""One of each channel; those that go wrong first."""
