"""The lines of docs/export.md do what the page says, against a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from sidecar_api.export.columns import COLUMNS
from tests.sidecar_api.export.test_exports import documents

if TYPE_CHECKING:
    from flask import Flask

    from tests.sidecar_api.search.log import Log

PAGE = (Path(__file__).parents[3] / "docs/export.md").read_text(encoding="utf-8")
FETCH, RESUME, FOLLOW = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The sidecar behind a real socket, with HTTP/1.1 and chunks."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def shell(code: str, folder: Path, address: str) -> subprocess.CompletedProcess[str]:
    """Run lines of the page."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euc", code],
        cwd=folder,
        env={**os.environ, "PATH": path, "TOKEN": "olga", "ADDRESS": address},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_fetch_break_off_and_go_on(address: str, log: Log, tmp_path: Path) -> None:
    """A download by the page's lines is whole; broken off and resumed it has the same bytes."""
    log.add(*documents(500))
    done = shell(FETCH, tmp_path, address)
    assert done.returncode == 0, done.stderr
    assert "whole: 500 activities as csv, range=30d" in done.stdout
    file = tmp_path / "audit.csv"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 3])
    assert shell("activity-center export verify audit.csv", tmp_path, address).returncode == 1
    done = shell(RESUME, tmp_path, address)
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == content


def test_follow(address: str, log: Log, tmp_path: Path) -> None:
    """The line for the live tail opens a stream."""
    done = shell(f"timeout 1 {FOLLOW.strip()} || true", tmp_path, address)
    assert done.stdout.startswith("retry: 5000")


def test_numbers_of_the_page() -> None:
    """The page counts the columns right."""
    assert f"{len(COLUMNS)} fixed columns" in PAGE
