"""Put the downloaded parts together: one folder per version, shared by all nodes."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from activity_center.errors import NodeError
from activity_center.node.account import Account
from activity_center.node.artifacts import Artifact, Module, Pinned, Plugin, pinned
from activity_center.node.download import fetch
from activity_center.node.folders import cache_folder
from activity_center.node.lock import locked
from activity_center.node.progress import Progress

RECIPE: Final = 1
"""Raised when the assembly changes: the folder then has another name."""

_UNUSED: Final = ("modules/transport-grpc", "config", "logs")


def distribution(account: Account, progress: Progress, *, secure: bool) -> Path:
    """Return the folder of the assembled OpenSearch; make it when it is missing.

    It is made beside its place and renamed, so an interrupted assembly is not taken for
    a whole one; nothing is written into it afterwards.

    Raises:
        NodeError: a part cannot be had, or ``account`` cannot read the folder.
    """
    parts = pinned()
    kind = "-secure" if secure else ""
    folder = (
        cache_folder()
        / "distributions"
        / f"opensearch-{parts.opensearch}{kind}-{parts.digest}.{RECIPE}"
    )
    if not folder.is_dir():
        with locked(folder.with_name(f".{folder.name}.lock")):
            if not folder.is_dir():
                _assemble(parts, folder, progress, secure=secure)
    if not account.can("-r", folder / "lib"):
        raise NodeError(
            f"uid {account.uid} cannot read it, and OpenSearch refuses to run as root",
            where=str(folder),
            hint="set ACTIVITY_CENTER_CACHE to a folder that everyone may enter",
        )
    return folder


def _assemble(parts: Pinned, folder: Path, progress: Progress, *, secure: bool) -> None:
    files = fetch(parts.needed(secure=secure), progress)
    progress.step(f"Assembling OpenSearch {parts.opensearch}")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _unzip(files[parts.server], partial)
        (top,) = partial.iterdir()
        for unused in _UNUSED:
            shutil.rmtree(top / unused)
        for module in parts.modules:
            _add_module(module, top / "modules" / module.name, parts, files)
        if secure:
            _add_plugin(parts.security, top / "plugins" / parts.security.name, files)
        _make_readable(top)
        top.rename(folder)
    except OSError as wrong:
        raise NodeError(
            f"cannot assemble OpenSearch: {wrong.strerror}", where=str(wrong.filename or partial)
        ) from wrong
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _unzip(archive: Path, target: Path) -> None:
    """Extract; the archive's SHA-256 is pinned, so its names are known to be harmless."""
    with zipfile.ZipFile(archive) as content:
        content.extractall(target)


def _add_module(
    module: Module, folder: Path, parts: Pinned, files: Mapping[Artifact, Path]
) -> None:
    folder.mkdir()
    for jar in module.jars:
        shutil.copyfile(files[jar], folder / jar.filename)
    descriptor = {
        "name": module.name,
        "description": module.description,
        "version": parts.opensearch,
        "opensearch.version": parts.opensearch,
        "java.version": parts.java,
        "classname": module.classname,
        "extended.plugins": "",
        "has.native.controller": "false",
    }
    (folder / "plugin-descriptor.properties").write_text(
        "".join(f"{key}={value}\n" for key, value in descriptor.items()), encoding="utf-8"
    )


def _add_plugin(plugin: Plugin, folder: Path, files: Mapping[Artifact, Path]) -> None:
    _unzip(files[plugin.archive], folder)
    for jar in plugin.jars:
        shutil.copyfile(files[jar], folder / jar.filename)
    descriptor = folder / "plugin-descriptor.properties"
    # It names a plugin to extend that is in no repository and that it runs without.
    text = re.sub(r"(?m)^extended\.plugins=.*$", "extended.plugins=", descriptor.read_text())
    descriptor.write_text(text, encoding="utf-8")


def _make_readable(top: Path) -> None:
    """Whatever the umask: everyone may read, scripts may be executed, nobody but us write."""
    for place, _, names in os.walk(top):
        Path(place).chmod(0o755)
        for name in names:
            script = place.endswith(("/bin", "/tools")) and not name.endswith((".bat", ".exe"))
            Path(place, name).chmod(0o755 if script else 0o644)
