"""Under which account the node runs: OpenSearch refuses to run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from activity_center.errors import NodeError


class Identity(TypedDict, total=False):
    """The keyword arguments of :class:`subprocess.Popen` that change the account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the operating system; ``None`` for both: whoever runs this process."""

    uid: int | None = None
    gid: int | None = None

    @property
    def identity(self) -> Identity:
        """How to start a process under this account, with none of our groups."""
        if self.uid is None or self.gid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path, mode: int) -> None:
        """Make ``path`` this account's own, with the permission bits ``mode``."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)
        path.chmod(mode)

    def can(self, operation: str, path: Path) -> bool:
        """Whether this account may read (``-r``), write (``-w``) or execute (``-x``) ``path``.

        Asked of the operating system under that account: mode bits of the path and all
        folders above it, access lists and mount options are its business.
        """
        if self.uid is None:
            return os.access(path, {"-r": os.R_OK, "-w": os.W_OK, "-x": os.X_OK}[operation])
        try:
            answer = subprocess.run(
                ["test", operation, str(path)], cwd="/", check=False, **self.identity
            )
        except (PermissionError, OSError) as wrong:
            raise NodeError(
                f"cannot run a process as uid {self.uid}: {wrong.strerror}",
                hint="OpenSearch refuses to run as root: run this as another user",
            ) from wrong
        return answer.returncode == 0


def node_account() -> Account:
    """Return the account for nodes: for root ``nobody`` (else 65534), else ourselves."""
    if os.geteuid() != 0:
        return Account()
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(nobody.pw_uid, nobody.pw_gid)
