"""Build the image without a Docker engine, and run what is in it as a cluster would.

buildah with chroot isolation, on a base that mmdebstrap makes here in place of the one that a
registry has. A container is a mount namespace of its own: the image read-only, ``/tmp`` and the
volume writable, user 10001, nothing of this machine but its network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("buildah", "mmdebstrap", "unshare")
USER = 10001
_RUN = """
set -eu
root=$1; volume=$2; shift 2
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$volume" "$root/var/lib/activity-center"
exec /usr/sbin/chroot --userspec=10001:10001 "$root" "$@"
"""


class Builder:
    """buildah with a store of its own.

    Args:
        folder: for the store, the base and the context.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {
            **os.environ,
            "BUILDAH_ISOLATION": "chroot",
            "STORAGE_DRIVER": "vfs",
            "XDG_RUNTIME_DIR": str(folder),
        }

    def ask(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run buildah; return what it prints."""
        store = ["--root", str(self.folder / "store"), "--runroot", str(self.folder / "run")]
        done = subprocess.run(
            ["buildah", *store, *arguments],
            cwd=cwd,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout.strip()

    def base(self, name: str) -> None:
        """Make a Debian 12, as small as the one that registries have.

        Where this machine's pip trusts an authority of its own, the base's does too; the image
        that comes out has nothing of it.
        """
        archive = self.folder / "base.tar"
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=apt", "--mode=root", "bookworm", str(archive)],
            check=True,
        )
        container = self.ask("from", "scratch")
        self.ask("add", "-q", container, str(archive), "/")
        if authority := os.environ.get("PIP_CERT"):
            extra = self.folder / "extra"
            (extra / "etc/ssl").mkdir(parents=True)
            shutil.copy(authority, extra / "etc/ssl/host.pem")
            (extra / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/host.pem\n")
            self.ask("add", "-q", container, str(extra), "/")
        self.ask("commit", "-q", container, name)
        self.ask("rm", container)

    def context(self) -> Path:
        """Copy what is tracked, or would be: what a clone has."""
        context = self.folder / "context"
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (context / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, context / name, follow_symlinks=False)
        return context

    def mounted(self, image: str) -> Path:
        """Return the folder in which an image's root file system lies."""
        return Path(self.ask("mount", self.ask("from", image)))


def inside(
    root: Path, volume: Path, environment: dict[str, str], command: Sequence[str]
) -> list[str]:
    """Return the command line that runs ``command`` in the image.

    Args:
        root: its root file system.
        volume: a folder, mounted at ``/var/lib/activity-center``.
        environment: all that the process gets, beside what the image sets.
    """
    variables = {
        "PATH": "/opt/activity-center/bin:/usr/bin",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    given = [f"{name}={value}" for name, value in variables.items()]
    script = ["sh", "-c", _RUN, "sh", str(root), str(volume)]
    return [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "env",
        "-i",
        *given,
        *script,
        *command,
    ]
