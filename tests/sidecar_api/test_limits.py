"""How much one client may ask of the sidecar."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from flask import Flask, Response, request

from activity_center.config import Cluster, CollectorConfig, Config
from activity_center.config_sidecar import (
    ApiToken,
    IdentityConfig,
    Person,
    RateLimit,
    SidecarConfig,
)
from sidecar_api import limits, problems
from sidecar_api.app import create_app
from sidecar_api.failures import RateLimited, Unauthenticated
from sidecar_api.limits import AT_ONCE, MAX_BODY, MAX_KEYS, MAX_URL, REFUSALS, Buckets, Limits
from sidecar_api.reader import Reader
from tests.integration.process import until
from tests.json_server import json_server

ADA, GRACE = Reader("ada"), Reader("grace")


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def configured(**section) -> Config:
    return Config(
        path="",
        opensearch=Cluster(),
        maintain=None,
        collector=CollectorConfig(),
        senders=(),
        organizations={},
        plans={},
        sidecar=SidecarConfig(**section),
    )


@pytest.fixture
def app():
    """An app that knows nothing but its limits: any Authorization is wrong."""
    config = configured(
        rate_limit=RateLimit(requests=5, sign_ins=3, exports=1), trusted_proxies=("127.0.0.1",)
    )
    made = Flask(__name__)
    problems.init_app(made)
    limits.init_app(made, config)

    @made.route("/api/v1/anything", methods=["GET", "POST"])
    def anything() -> dict:
        if "Authorization" in request.headers:
            raise Unauthenticated("wrong")
        limits.limits().count(request, None)
        return {"bytes": len(request.get_data())}

    return made


@pytest.fixture
def client(app):
    return app.test_client()


def test_a_bucket_fills_evenly(clock):
    """A minute's worth at once, then one after each part of the minute."""
    buckets = Buckets(6, clock=clock)
    assert [buckets.take("a") for _ in range(6)] == [0] * 6
    assert buckets.take("a") == pytest.approx(10)
    clock.now += 4
    assert buckets.take("a") == pytest.approx(6)  # asking in vain costs nothing
    clock.now += 6
    assert buckets.take("a") == 0
    assert buckets.take("a") == pytest.approx(10)
    clock.now += 3600
    assert [buckets.take("a") for _ in range(7)] == [0] * 6 + [pytest.approx(10)]


def test_what_is_given_back_can_be_taken(clock):
    """As if it had not been taken, and never more than a full bucket."""
    buckets = Buckets(2, clock=clock)
    for _ in range(5):
        assert buckets.take("a") == 0
        buckets.give("a")
    buckets.give("a")
    assert [buckets.take("a") for _ in range(3)] == [0, 0, pytest.approx(30)]


def test_the_number_of_buckets_is_bounded(clock):
    """However many addresses ask, memory stays; the longest unused is forgotten first."""
    buckets = Buckets(1, clock=clock)
    for number in range(MAX_KEYS + 50):
        buckets.take(str(number))
    assert len(buckets) == MAX_KEYS
    assert buckets.take("0") == 0
    assert buckets.take(str(MAX_KEYS + 49)) > 0


def test_threads_share_a_bucket(clock):
    """Threads that take at the same time do not get more than there is."""
    buckets = Buckets(100, clock=clock)
    taken: list[float] = []
    threads = [
        threading.Thread(target=lambda: taken.extend(buckets.take("a") for _ in range(50)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken.count(0) == 100


def test_readers_are_counted_apart(app, clock):
    """One reader's requests do not use up another's, nor those of who is nobody."""
    ours = Limits(configured(rate_limit=RateLimit(requests=2)), clock=clock)
    with app.test_request_context():
        for who in (ADA, GRACE, None):
            ours.count(request, who)
            ours.count(request, who)
            with pytest.raises(RateLimited) as refused:
                ours.count(request, who)
            assert refused.value.headers == {"Retry-After": "30"}


def test_a_reader_is_no_address(app, clock):
    """Somebody whose id looks like an address does not share that address's bucket."""
    ours = Limits(configured(rate_limit=RateLimit(requests=1)), clock=clock)
    with app.test_request_context(environ_base={"REMOTE_ADDR": "198.51.100.7"}):
        ours.count(request, None)
        ours.count(request, Reader("198.51.100.7"))


def test_refusals_are_fewer_than_requests(clock):
    """Each is an entry in the trail of who was asked for: one reader does not fill it."""
    ours = Limits(configured(rate_limit=RateLimit(requests=1000)), clock=clock)
    for _ in range(REFUSALS):
        ours.refuse(Reader("a"))
    with pytest.raises(RateLimited) as refused:
        ours.refuse(Reader("a"))
    assert refused.value.headers["Retry-After"] == "1"
    ours.refuse(Reader("b"))


def test_a_refusal_of_many_waits_until_there_are_as_many(clock):
    """And takes nothing meanwhile, so that whoever waits as long as they are told gets it."""
    ours = Limits(configured(rate_limit=RateLimit(requests=1000)), clock=clock)
    ours.refuse(Reader("a"), REFUSALS - 10)
    for _ in range(3):
        with pytest.raises(RateLimited) as refused:
            ours.refuse(Reader("a"), 50)
        assert refused.value.headers["Retry-After"] == "40"
    clock.now += 40
    ours.refuse(Reader("a"), 50)


def test_answers_at_once(clock):
    """Beyond a few at once a reader gets 429, before OpenSearch has too much; others go on."""
    ours = Limits(configured(), clock=clock)
    slots = [ours.work(ADA) for _ in range(AT_ONCE)]
    with pytest.raises(RateLimited, match="answered already"):
        ours.work(ADA)
    ours.work(GRACE).release()
    slots[0].release()
    slots[0].release()  # once is enough
    ours.work(ADA)
    with pytest.raises(RateLimited):
        ours.work(ADA)


def test_exports_at_once(clock):
    """One reader has so many exports at the same time; one that ended makes room, once."""
    ours = Limits(configured(rate_limit=RateLimit(exports=2)), clock=clock)
    first, _ = ours.export(ADA), ours.export(ADA)
    with pytest.raises(RateLimited, match="2 exports"):
        ours.export(ADA)
    ours.export(GRACE).release()
    first.release()
    first.release()
    again = ours.export(ADA)
    with pytest.raises(RateLimited):
        ours.export(ADA)
    again.release()
    ours.export(ADA).release()


def test_an_export_nobody_reads_ends(app):
    """A client that is gone before the first byte gives its export back."""
    ours = Limits(configured(rate_limit=RateLimit(exports=1)))

    @app.route("/api/v1/export")
    def export() -> Response:
        slot = ours.export(ADA)
        response = Response(iter([b"row\n"]))
        response.call_on_close(slot.release)
        return response

    for _ in range(3):
        answer = app.test_client().get("/api/v1/export", buffered=False)
        assert answer.status_code == 200
        answer.close()


def test_too_many_requests_of_an_address(client):
    """Beyond the limit: 429 with Retry-After, for that address alone."""
    asked = [_from(client, "198.51.100.7").status_code for _ in range(6)]
    assert asked == [200] * 5 + [429]
    refused = _from(client, "198.51.100.7")
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json["type"] == "/problems/rate-limited"
    assert _from(client, "198.51.100.8").status_code == 200


def test_ipv6_addresses_of_one_line_are_one(client):
    """Changing the address within a /64 gives no new bucket."""
    asked = [_from(client, f"2001:db8::{number:x}").status_code for number in range(1, 8)]
    assert asked == [200] * 5 + [429] * 2
    assert _from(client, "2001:db8:0:1::1").status_code == 200


def test_failed_sign_ins_are_fewer(client):
    """After three wrong credentials a further one of this address is told to wait."""
    wrong = {"Authorization": "Bearer guess"}
    asked = [_from(client, "198.51.100.7", **wrong).status_code for _ in range(4)]
    assert asked == [401] * 3 + [429]
    assert _from(client, "198.51.100.7").status_code == 200  # without a credential
    assert _from(client, "198.51.100.8", **wrong).status_code == 401


@pytest.fixture
def guarded(tmp_path):
    """A whole sidecar that asks an OpenSearch whose every login is wrong, once it may answer."""
    asked: list[str] = []
    may_answer = threading.Event()

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        asked.append(path)
        assert may_answer.wait(30)
        return 401, b""

    with json_server(answer) as url:
        identity = IdentityConfig(
            people={"u-1": Person("u-1")},
            tokens=(ApiToken("ci", "u-1", hashlib.sha256(b"right").hexdigest()),),
            opensearch=True,
        )
        rates = RateLimit(requests=5, sign_ins=3)
        section = configured(data_dir=str(tmp_path), rate_limit=rates)
        made = create_app(replace(section, opensearch=Cluster(url=url), identity=identity))
        yield made, asked, may_answer
        may_answer.set()


def test_guesses_at_the_same_time_are_counted_too(guarded):
    """Whoever guesses in parallel gets no more guesses; a right API token passes all the time."""
    made, asked, may_answer = guarded
    answers: list[int] = []

    def guess(number: int) -> None:
        wrong = {"Authorization": f"Bearer guess{number}", "Host": "127.0.0.1:8600"}
        answers.append(made.test_client().get("/api/v1/me", headers=wrong).status_code)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(answers) == 5)
    right = {"Authorization": "Bearer right", "Host": "127.0.0.1:8600"}
    assert made.test_client().get("/api/v1/me", headers=right).status_code == 200
    may_answer.set()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [401] * 3 + [429] * 5
    assert len(asked) == 3
    assert made.test_client().get("/api/v1/me", headers=right).status_code == 200


def test_another_limit_hides_no_guess(guarded):
    """Whoever uses up all requests of their address cannot guess on behind the 429 of that."""
    made, asked, may_answer = guarded
    may_answer.set()
    host = {"Host": "127.0.0.1:8600"}
    path = "/api/openapi.json"
    nobody = [made.test_client().get(path, headers=host).status_code for _ in range(6)]
    assert nobody == [200] * 5 + [429]
    # Whoever ends a process that does not answer may come from this address too.
    assert made.test_client().get("/healthz", headers=host).status_code == 200
    for number in range(12):
        wrong = {"Authorization": f"Bearer guess{number}", **host}
        assert made.test_client().get("/api/v1/me", headers=wrong).status_code == 429
    assert len(asked) == 3


def test_asking_as_nobody_counts_too(guarded):
    """Requests without a credential are refused, and after so many no longer even that."""
    made = guarded[0]
    host = {"Host": "127.0.0.1:8600"}
    asked = [
        made.test_client().get("/api/v1/activities", headers=host).status_code for _ in "1234567"
    ]
    assert asked == [401] * 5 + [429] * 2


def test_an_answer_counts_until_it_is_sent(guarded):
    """Who leaves answers unread gets no more of them than may be made at the same time."""
    made = guarded[0]
    limits_of = made.extensions["activity_center_limits"]
    limits_of._requests = Buckets(1000)
    right = {"Authorization": "Bearer right", "Host": "127.0.0.1:8600"}
    unread = [made.test_client().get("/api/v1/me", headers=right) for _ in range(AT_ONCE)]
    assert [one.status_code for one in unread] == [200] * AT_ONCE
    assert made.test_client().get("/api/v1/me", headers=right).status_code == 429
    unread[0].close()
    assert made.test_client().get("/api/v1/me", headers=right).status_code == 200


def test_nobody_is_no_failed_sign_in(app):
    """Asking without any credential is not guessing: a signed-out page locks nobody out."""

    @app.route("/api/v1/me")
    def me() -> None:
        raise Unauthenticated("nobody")

    client = app.test_client()
    asked = [client.get("/api/v1/me", headers={"Cookie": "activity_session=old"}) for _ in "12345"]
    assert [one.status_code for one in asked] == [401] * 5


def _from(client, address: str, **headers: str):
    return client.get("/api/v1/anything", headers={"X-Forwarded-For": address, **headers})


def test_sizes(client):
    """Body, address and headers have bounds, each with its own status."""
    assert client.post("/api/v1/anything", data=b"x" * MAX_BODY).json == {"bytes": MAX_BODY}
    assert client.post("/api/v1/anything", data=b"x" * (MAX_BODY + 1)).status_code == 413
    assert client.get(f"/api/v1/anything?q={'x' * (MAX_URL - 50)}").status_code == 200
    assert client.get(f"/api/v1/anything?q={'x' * MAX_URL}").status_code == 414
    many = {f"X-{number}": "x" for number in range(101)}
    assert client.get("/api/v1/anything", headers=many).status_code == 431
    assert client.get("/api/v1/anything", headers={"X-Long": "x" * 40_000}).status_code == 431


def test_a_body_without_a_length_has_the_bound_too(client):
    """Of a body that does not say its length no more than the bound is read."""
    answer = client.post(
        "/api/v1/anything",
        input_stream=BytesIO(b"x" * MAX_BODY * 3),
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.json == {"bytes": MAX_BODY}


def test_a_foreign_name_is_refused(client):
    """A sidecar on loopback does not answer under a name that was pointed at it."""
    answer = client.get("/api/v1/anything", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert answer.json["parameter"] == "Host"
