"""Which OpenSearch is used, and how it is spoken to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opensearchpy.exceptions import SerializationError, SSLError
from opensearchpy.serializer import JSONSerializer

from activity_center.config import Cluster
from activity_center.connection import cluster_from_environment, connect, resolve
from activity_center.errors import ConfigError, NodeError
from activity_center.serializer import OrjsonSerializer


@pytest.fixture
def listener() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """An HTTP server that notes the headers of requests, and its address."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({**self.headers, "path": self.path})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", seen
    server.shutdown()
    server.server_close()


def test_without_a_url_there_is_no_cluster_of_ones_own() -> None:
    """Other variables alone mean nothing."""
    assert cluster_from_environment({"OPENSEARCH_USERNAME": "a"}) is None
    assert cluster_from_environment({"OPENSEARCH_URL": ""}) is None


def test_a_login_in_the_address_is_taken_out() -> None:
    """The address can be shown to anyone: no password stays in it."""
    found = cluster_from_environment({"OPENSEARCH_URL": "https://me:a%2Fb@[::1]:9201/search/"})
    assert found == Cluster("https://[::1]:9201/search", "me", "a/b", "", "")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"OPENSEARCH_URL": "localhost:9200"}, "no http"),
        ({"OPENSEARCH_URL": "https://"}, "no http"),
        ({"OPENSEARCH_URL": "https://me:hidden@host:port"}, "is no address"),
        ({"OPENSEARCH_URL": "https://a/?hidden"}, r"must have no \?"),
        ({"OPENSEARCH_URL": "https://a", "OPENSEARCH_USERNAME": "b"}, "needs a password"),
        ({"OPENSEARCH_URL": "https://a", "OPENSEARCH_PASSWORD": "hidden"}, "needs a password"),
        (
            {
                "OPENSEARCH_URL": "https://a",
                "OPENSEARCH_USERNAME": "b",
                "OPENSEARCH_PASSWORD": "hidden",
                "OPENSEARCH_API_TOKEN": "hidden",
            },
            "choose one",
        ),
        ({"OPENSEARCH_URL": "https://a", "OPENSEARCH_CA": "/not/there"}, "does not exist"),
        ({"OPENSEARCH_URL": "http://a", "OPENSEARCH_CA": "/not/there"}, "address is http"),
        (
            {
                "OPENSEARCH_URL": "https://b:hidden@a",
                "OPENSEARCH_USERNAME": "b",
                "OPENSEARCH_PASSWORD": "hidden",
            },
            "so does the username",
        ),
    ],
)
def test_contradictions_are_refused(environment: dict[str, str], message: str) -> None:
    """What cannot be meant is an error that repeats no secret."""
    with pytest.raises(ConfigError, match=message) as refused:
        cluster_from_environment(environment)
    assert "hidden" not in str(refused.value)


def test_the_order_of_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configured cluster wins over the environment, and that over the embedded node."""
    with pytest.raises(NodeError, match="not running") as missing:
        resolve()
    assert missing.value.hint is not None
    assert "activity-center node start" in missing.value.hint
    monkeypatch.setenv("OPENSEARCH_URL", "http://environment:9200")
    assert resolve().url == "http://environment:9200"
    assert resolve(Cluster()).url == "http://environment:9200"
    assert resolve(Cluster(url="http://configured:9200")).url == "http://configured:9200"


def test_a_node_is_reached(opensearch: Any) -> None:
    """The client speaks to a real node."""
    assert connect(opensearch.cluster).info()["version"]["distribution"] == "opensearch"


def test_an_api_token_is_sent_as_bearer(listener: tuple[str, list[dict[str, str]]]) -> None:
    """OPENSEARCH_API_TOKEN becomes the Authorization header; other headers stay possible."""
    url, seen = listener
    connect(Cluster(url=f"{url}/under", api_token="t0k3n"), headers={"X-Opaque-Id": "a"}).info()
    assert seen[0]["authorization"] == "Bearer t0k3n"
    assert seen[0]["x-opaque-id"] == "a"
    assert seen[0]["path"] == "/under/"


def test_user_and_password_are_sent(listener: tuple[str, list[dict[str, str]]]) -> None:
    """HTTP basic authentication (RFC 7617)."""
    url, seen = listener
    connect(Cluster(url=url, username="Aladdin", password="open sesame")).info()
    assert seen[0]["authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_only_the_given_authority_is_trusted(secure_opensearch: Any, tmp_path: Any) -> None:
    """With its CA the node is trusted; without it, or by an unnamed host, it is not."""
    cluster = secure_opensearch.cluster
    assert connect(cluster).cluster.health()["status"] in ("green", "yellow")
    with pytest.raises(SSLError):
        connect(Cluster(cluster.url, cluster.username, cluster.password)).info()
    with pytest.raises(SSLError):
        renamed = cluster.url.replace("127.0.0.1", "127.1")  # the same machine
        connect(Cluster(renamed, cluster.username, cluster.password, "", cluster.ca)).info()
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    with pytest.raises(ConfigError, match="certificate authority"):
        connect(Cluster(cluster.url, cluster.username, cluster.password, "", str(broken)))


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_other_bundles_have_no_say(secure_opensearch: Any, variable: str) -> None:
    """A bundle that the environment names for other programs neither breaks nor widens trust."""
    cluster = secure_opensearch.cluster
    environment = {
        **os.environ,
        variable: "/etc/ssl/certs/ca-certificates.crt",
        "OPENSEARCH_URL": cluster.url,
        "OPENSEARCH_USERNAME": cluster.username,
        "OPENSEARCH_PASSWORD": cluster.password,
        "OPENSEARCH_CA": cluster.ca,
    }
    program = (
        "from activity_center.connection import connect;"
        "print(connect().info()['version']['number'])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == secure_opensearch.info.version


def test_verification_cannot_be_switched_off() -> None:
    """No caller can ask for an unverified connection."""
    with pytest.raises(ConfigError, match="always verified"):
        connect(Cluster(url="https://localhost:9200"), verify_certs=False)


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.datetimes(timezones=st.just(UTC)),
    lambda children: st.lists(children) | st.dictionaries(st.text("abc"), children),
    max_leaves=10,
)


@given(_VALUES)
def test_bodies_mean_the_same_as_the_clients_own(value: Any) -> None:
    """Our faster serializer writes what opensearch-py's own would write."""
    body = {"value": value}
    ours, theirs = OrjsonSerializer().dumps(body), JSONSerializer().dumps(body)
    assert json.loads(ours) == json.loads(theirs)


def test_bodies_that_are_json_already_pass() -> None:
    """Strings and bytes are sent as they are; what has no form is refused."""
    serializer = OrjsonSerializer()
    assert serializer.dumps(b'{"a":1}\n') == b'{"a":1}\n'
    assert serializer.dumps({"at": datetime(2026, 1, 2, tzinfo=UTC)}) == (
        '{"at":"2026-01-02T00:00:00+00:00"}'
    )
    with pytest.raises(SerializationError):
        serializer.dumps({"a": object()})
    with pytest.raises(SerializationError):
        serializer.loads("{")
