"""Small functions over values: auto-create, versions, clocks, watermarks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.errors import ClusterError
from activity_center.setup.auto_create import OURS, creates, forbidding
from activity_center.setup.cluster import ask, server_version
from activity_center.setup.doctor import Level
from activity_center.setup.doctor.machines import clock, disk, free_needed, skew

NAMES = ("activity-audit-permanent", "activity-rejected", "activity-center-state")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("false", True),
        ("-activity-*,+*", True),
        ("+logs-*", True),
        ("true", False),
        ("+*", False),
        ("-activity-audit-*,+*", False),
    ],
)
def test_auto_create_is_changed_only_where_it_must(value: str, kept: bool) -> None:
    """A setting that creates none of our names stays; else ours come first, the rest stays."""
    wanted = forbidding(value, NAMES)
    assert (wanted == value) == kept
    assert not any(creates(wanted, name) for name in NAMES)
    assert creates(wanted, "something-else") == creates(value, "something-else")
    assert forbidding(wanted, NAMES) == wanted


def test_the_lens_patterns_are_named_one_by_one() -> None:
    """``activity-*`` would also catch what is not ours."""
    assert "activity-*" not in OURS
    assert creates(forbidding("true", NAMES), "activity-of-someone-else")


@pytest.mark.parametrize("number", ["2.15.0", "2.19.1", "3.4.0", "10.0.0", "3.5.0-SNAPSHOT"])
def test_versions_that_we_use(number: str) -> None:
    """2.15 is the first with the wildcard field."""
    info = {"version": {"number": number, "distribution": "opensearch"}}
    assert server_version(info).text == number


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"version": {"number": "2.14.0", "distribution": "opensearch"}}, "2.15"),
        ({"version": {"number": "1.3.20", "distribution": "opensearch"}}, "too old"),
        ({"version": {"number": "8.17.0", "build_flavor": "default"}}, "Elasticsearch 8.17.0"),
        ({"version": {"number": "x", "distribution": "opensearch"}}, "not understood"),
        ({"hello": "world"}, "no OpenSearch"),
        ("<html>", "no OpenSearch"),
        ({"version": None}, "no OpenSearch"),
    ],
)
def test_servers_that_we_refuse(info: Any, words: str) -> None:
    """Too old or something else is refused with words that say which."""
    with pytest.raises(ClusterError, match=words):
        server_version(info)


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def website() -> Iterator[str]:
    """The address of a web server that is no OpenSearch."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_website_is_no_opensearch(website: str) -> None:
    """What answers with a page is refused with our error, not with a traceback."""
    client = connect(Cluster(url=website))
    with pytest.raises(ClusterError):
        server_version(ask(client, "GET", "/").body)


def test_nobody_at_home() -> None:
    """A closed port is our error too, and says what to look at."""
    client = connect(Cluster(url="http://127.0.0.1:9"))
    with pytest.raises(ClusterError, match="no answer") as caught:
        ask(client, "GET", "/")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("theirs", "seconds"), [(100.5, 0.0), (100.0, 0.0), (101.0, 0.0), (104.0, 3.0), (90.0, -10.0)]
)
def test_skew_is_only_what_is_sure(theirs: float, seconds: float) -> None:
    """A time read between 100 and 101 of ours agrees with all in between."""
    assert skew(100.0, 101.0, theirs) == seconds


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, "ok"), (-1.9, "ok"), (5, "warn"), (-59, "warn"), (600, "fail")]
)
def test_clock_levels(seconds: float, level: str) -> None:
    """Two seconds warn, a minute fails, in both directions."""
    finding = clock("n", seconds)
    assert finding.level == level
    assert bool(finding.advice) == (level != "ok")


@pytest.mark.parametrize(
    ("watermark", "free"),
    [("90%", 100), ("0.9", 100), ("100b", 100), ("1kb", 1024), ("2gb", 2 * 1024**3), ("95.5%", 45)],
)
def test_watermarks_in_every_spelling(watermark: str, free: int) -> None:
    """Shares are of what is used, sizes of what is free (of a disk of 1000 bytes)."""
    assert free_needed(watermark, 1000) == free


@pytest.mark.parametrize(
    ("free", "level", "word"),
    [(300, "ok", "free"), (140, "warn", "low"), (90, "fail", "high"), (40, "fail", "flood")],
)
def test_disk_levels(free: int, level: str, word: str) -> None:
    """Each watermark has its own meaning, and the finding names the one passed."""
    total = {"total_in_bytes": 1000, "available_in_bytes": free}
    finding = disk("n", total, {"low": "85%", "high": "90%", "flood_stage": "95%"})
    assert finding.level == Level(level)
    assert word in finding.message
