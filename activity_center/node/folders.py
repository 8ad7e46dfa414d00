"""Every path of the embedded node: cache, distributions, and the folder of each node.

Two variables name folders: ``ACTIVITY_CENTER_CACHE`` and ``ACTIVITY_CENTER_STATE``; what
holds without them is in :data:`DEFAULTS`. A user's defaults follow ``XDG_CACHE_HOME`` and
``XDG_STATE_HOME`` (XDG Base Directory Specification 0.8). Root's do not: OpenSearch refuses
to run as root, and the account that it then runs under cannot enter root's home, nor that of
a user whose variables ``sudo -E`` has kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from activity_center.errors import NodeError


class Default(NamedTuple):
    """Where a folder is when its variable is not set.

    Attributes:
        xdg: variable whose folder a user's default is in, when it is set to an absolute path.
        user: in a user's home without it.
        root: for root, whatever ``xdg`` says.
    """

    xdg: str
    user: str
    root: str


DEFAULTS: Final[Mapping[str, Default]] = {
    "ACTIVITY_CENTER_CACHE": Default(
        "XDG_CACHE_HOME", ".cache/activity-center", "/var/cache/activity-center"
    ),
    "ACTIVITY_CENTER_STATE": Default(
        "XDG_STATE_HOME", ".local/state/activity-center", "/var/lib/activity-center"
    ),
}
"""By the variable that names the folder itself."""

NODE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def cache_folder() -> Path:
    """Return where downloads and distributions are kept; they can be fetched again."""
    return _folder("ACTIVITY_CENTER_CACHE")


def state_folder() -> Path:
    """Return where nodes, and the demo, keep their data."""
    return _folder("ACTIVITY_CENTER_STATE")


def _folder(variable: str) -> Path:
    if os.environ.get(variable):
        return Path(os.environ[variable]).expanduser().absolute()
    default = DEFAULTS[variable]
    if os.geteuid() == 0:
        return Path(default.root)
    # The specification: "All paths set in these environment variables must be absolute", others
    # are to be ignored.
    base = Path(os.environ.get(default.xdg, ""))
    return base / "activity-center" if base.is_absolute() else Path.home() / default.user


def make_folder(path: Path) -> None:
    """Create ``path`` and what is missing above it; what root makes is open to the node's account.

    The mode is set whatever the umask is: root's may be 077.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        path.chmod(0o755)


@dataclass(frozen=True, slots=True)
class NodeFolder:
    """The files of one node, all below ``root``."""

    root: Path

    @property
    def record(self) -> Path:
        """Options of the last start and the process that it made (JSON, no secret)."""
        return self.root / "node.json"

    @property
    def lock(self) -> Path:
        """Held while the node is started, stopped or wiped; outlives the folder."""
        return self.root.with_name(f".{self.root.name}.lock")

    @property
    def config(self) -> Path:
        """OpenSearch's ``path.conf``."""
        return self.root / "config"

    @property
    def data(self) -> Path:
        """OpenSearch's ``path.data``."""
        return self.root / "data"

    @property
    def archive(self) -> Path:
        """OpenSearch's ``path.repo``: what retention archives."""
        return self.root / "archive"

    @property
    def logs(self) -> Path:
        """OpenSearch's ``path.logs``."""
        return self.root / "logs"

    @property
    def temporary(self) -> Path:
        """The JVM's ``java.io.tmpdir``: else each start leaves a folder in the system's."""
        return self.root / "tmp"

    @property
    def log_file(self) -> Path:
        """The log to look into."""
        return self.logs / "opensearch.log"

    @property
    def console_file(self) -> Path:
        """What the JVM printed: crashes, and errors before logging was set up."""
        return self.logs / "console.log"

    @property
    def admin_password(self) -> Path:
        """0600; only with security."""
        return self.root / "admin-password"

    @property
    def ca(self) -> Path:
        """Certificate of the node's own authority (PEM); only with security."""
        return self.root / "ca.pem"


def node_folder(name: str) -> NodeFolder:
    """Return the paths of the node ``name``; nothing is created.

    Raises:
        NodeError: the name cannot be one.
    """
    if not NODE_NAME.fullmatch(name):
        raise NodeError(
            f"{name!r} cannot be the name of a node",
            hint="lower-case letters, digits, - and _, at most 63",
        )
    return NodeFolder(state_folder() / "nodes" / name)
