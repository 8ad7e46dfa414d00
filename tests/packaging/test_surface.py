"""The public surface is small, and importing it is cheap."""

from __future__ import annotations

import json
import subprocess
import sys

import activity_center

HEAVY = {
    "aiohttp",
    "click",
    "collector",
    "cryptography",
    "flask",
    "jsonschema",
    "opensearchpy",
    "orjson",
    "requests",
    "yaml",
}


def loaded(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter has loaded after ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import json, sys; print(json.dumps(list(sys.modules)))"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stdout))


def test_public_names() -> None:
    """What the package promises is exactly this; everything else may change."""
    assert activity_center.__all__ == ["Emitter", "__version__"]


def test_every_public_name_is_there() -> None:
    """Each promised name resolves, and an unknown one is an ordinary AttributeError."""
    assert all(hasattr(activity_center, name) for name in activity_center.__all__)
    assert not hasattr(activity_center, "emitter_of_nothing")


def test_importing_the_package_is_cheap() -> None:
    """``import activity_center`` loads no library and no part of the collector."""
    assert not loaded("import activity_center") & (HEAVY | {"fluent", "msgpack"})


def test_importing_the_emitter_is_cheap() -> None:
    """A producer that imports the emitter loads neither Flask nor aiohttp nor the collector."""
    modules = loaded("from activity_center import Emitter")
    assert "activity_center.emit" in modules
    assert not modules & HEAVY


def test_watching_needs_no_more_than_the_emitter() -> None:
    """Than the emitter and what the extra ``watch`` names (docs/process-stream.md)."""
    modules = loaded("from activity_center.watch import Watch")
    assert "activity_center.watch" in modules
    ours = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    started = {name.partition(".")[0] for name in loaded("pass")}
    assert ours - started == {"activity_center", "wsproto", "h11"}


def test_the_help_is_cheap() -> None:
    """``activity-center --help`` imports no verb: each is loaded when it is used."""
    modules = loaded("from activity_center.cli import build; build()")
    assert not modules & (HEAVY - {"click"})
