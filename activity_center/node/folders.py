"""Every path of the embedded node: cache, distributions, and the folder of each node.

============================  ==================================  ==========================
variable                      a user's default                    root's default
============================  ==================================  ==========================
``ACTIVITY_CENTER_CACHE``     ``~/.cache/activity-center``        ``/var/cache/activity-center``
``ACTIVITY_CENTER_STATE``     ``~/.local/state/activity-center``  ``/var/lib/activity-center``
============================  ==================================  ==========================

The XDG base directory variables are honoured. Root's defaults are elsewhere since
OpenSearch refuses to run as root and the account it then runs under cannot enter
root's home.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from activity_center.errors import NodeError

NODE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def cache_folder() -> Path:
    """Return where downloads and distributions are kept; they can be fetched again."""
    return _base("ACTIVITY_CENTER_CACHE", "XDG_CACHE_HOME", ".cache", "/var/cache")


def state_folder() -> Path:
    """Return where nodes keep their data."""
    return _base("ACTIVITY_CENTER_STATE", "XDG_STATE_HOME", ".local/state", "/var/lib")


def _base(own: str, xdg: str, in_home: str, for_root: str) -> Path:
    if os.environ.get(own):
        return Path(os.environ[own]).expanduser().absolute()
    if os.geteuid() == 0:
        return Path(for_root) / "activity-center"
    # The base directory specification: relative paths are invalid and to be ignored.
    base = Path(os.environ.get(xdg, ""))
    return (base if base.is_absolute() else Path.home() / in_home) / "activity-center"


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
