"""A decision is one, also of two sidecars, and says how its approver signed in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from activity_center.config import load
from sidecar_api.app import create_app
from tests.integration.process import TOKEN, Collector
from tests.sidecar_api.agents.stage import Stage
from tests.sidecar_api.agents.test_decisions import ago, arrived, seen
from tests.sidecar_api.desk import HOST, Desk
from tests.sidecar_api.identity.issuer import AUDIENCE, Issuer, rsa


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """Who signs tokens."""
    with Issuer(rsa("first")) as one:
        yield one


def deciding(make_desk: Callable[..., Desk], url: str) -> Stage:
    """A sidecar whose decisions go to a collector."""
    return Stage(make_desk(recording={"url": url, "token": "${COLLECTOR_TOKEN}"}))


def test_of_two_sidecars_one_decides(make_desk: Callable[..., Desk], collector: Collector) -> None:
    """Two people at two sidecars at the same moment: one decision is stored, and who is second is
    told who decided first."""
    first = deciding(make_desk, collector.url)
    folder = first.desk.file.parent / "second"
    folder.mkdir(mode=0o700)
    key = first.desk.file.parent / "sidecar" / "secret.key"
    (folder / "secret.key").write_bytes(key.read_bytes())
    (folder / "secret.key").chmod(0o600)
    first.desk.document["sidecar"]["data_dir"] = str(folder)
    first.desk.write()
    other = create_app(load(first.desk.file, {"COLLECTOR_TOKEN": TOKEN}), client=first.desk.client)
    first.add("proposed", "a", at=ago(60))
    first.store()
    body = {"seen": seen(first, "a"), "outcome": "approved"}
    path = f"/api/v1/proposals/{first.id('a')}/decision"
    headers = {"Host": HOST, "Authorization": f"Bearer {first.desk.token('owner')}"}
    answers: list[Any] = []
    ready = threading.Barrier(2)

    def send(app: Any, wanted: dict[str, Any]) -> None:
        ready.wait()
        answers.append(app.test_client().post(path, json=wanted, headers=headers, buffered=True))

    threads = [
        threading.Thread(target=send, args=one)
        for one in ((first.desk.app, body), (other, {"outcome": "denied"}))
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(one.status_code for one in answers) == [200, 409]
    entry = arrived(first, "a")
    outcome = entry["activity"]["decision"]["outcome"]
    won, lost = sorted(answers, key=lambda one: one.status_code)
    assert won.get_json()["decisions"][0]["outcome"] == outcome
    detail = lost.get_json()["detail"]
    assert f"It is {outcome} by owner since " in detail
    assert [one["outcome"] for one in first.one("a")["decisions"]] == [outcome]


def test_a_second_factor_is_recorded(
    make_desk: Callable[..., Desk], collector: Collector, issuer: Issuer
) -> None:
    """What the issuer's token says of it stands in the decision, and is no claim of a sender."""
    stage = deciding(make_desk, collector.url)
    desk = stage.desk
    desk.document["identity"]["jwt"] = [
        {
            "issuer": issuer.url,
            "audience": AUDIENCE,
            "algorithms": ["RS256"],
            "jwks_url": issuer.jwks_url,
        }
    ]
    desk.write()
    app = create_app(load(desk.file, {"COLLECTOR_TOKEN": TOKEN}), client=desk.client)
    for name, methods in {"both": ["pwd", "mfa"], "one": ["pwd"]}.items():
        stage.add("proposed", name, at=ago(60))
        stage.store()
        token = issuer.token(sub=desk.people["owner"], amr=methods)
        answer = app.test_client().post(
            f"/api/v1/proposals/{stage.id(name)}/decision",
            json={"outcome": "denied"},
            headers={"Host": HOST, "Authorization": f"Bearer {token}"},
            buffered=True,
        )
        assert answer.status_code == 200, answer.text
        ours = arrived(stage, name)["activity"]
        decision = ours["decision"]
        assert (decision["auth_method"], decision["mfa"]) == ("jwt", "mfa" in methods)
        assert ours["approver"]["authenticated"] is True
