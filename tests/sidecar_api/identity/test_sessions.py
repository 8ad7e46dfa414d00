"""Sessions: how they begin, how long they last, how they end."""

from __future__ import annotations

import hashlib
import multiprocessing
import sqlite3
import stat
from dataclasses import replace
from http.cookies import SimpleCookie

import pytest
from flask import Request, Response
from werkzeug.test import EnvironBuilder

from activity_center.config_sidecar import Sessions as Life
from activity_center.errors import ConfigError
from sidecar_api.failures import Unavailable
from sidecar_api.identity.sessions import MAX_OF_ONE, Sessions
from sidecar_api.identity.store import FILE, Store
from sidecar_api.identity.subject import Subject

HOUR = 3600.0
LIFE = Life(idle=8 * 3600, absolute=7 * 24 * 3600)
ADA = Subject("oidc", "ada", email="ada@example.org", organizations={"o1": ("admin", "member")})
GRACE = Subject("oidc", "grace")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def sessions(store, clock):
    return Sessions(store, LIFE, secure=True, clock=clock)


def browser(cookie: str = "", name: str = "__Host-activity_session") -> Request:
    headers = {"Cookie": f"{name}={cookie}"} if cookie else {}
    return Request(EnvironBuilder(headers=headers).get_environ())


def begin(sessions: Sessions, subject: Subject = ADA, had: str = "") -> str:
    """Sign in; return the cookie that the browser has then."""
    response = Response()
    sessions.begin(browser(had), response, subject)
    return cookies(response)[-1].value


def cookies(response: Response) -> list:
    found = []
    for line in response.headers.getlist("Set-Cookie"):
        found.extend(SimpleCookie(line).values())
    return found


def test_knows_who_signed_in(sessions):
    """A session gives back who signed in, as one whose credential browsers send by themselves."""
    value = begin(sessions)
    found = sessions.recognize(browser(value))
    assert (found.provider, found.name, found.email) == ("oidc", "ada", "ada@example.org")
    assert found.organizations == {"o1": ("admin", "member")}
    assert found.ambient
    assert found.session == hashlib.sha256(value.encode()).hexdigest()


@pytest.mark.parametrize("mfa", [True, False, None])
def test_knows_how_somebody_signed_in(sessions, mfa):
    """A session says of a second factor what the sign-in said, for the decisions made in it."""
    found = sessions.recognize(browser(begin(sessions, replace(ADA, mfa=mfa))))
    assert found.mfa is mfa


@pytest.mark.parametrize("secure", [True, False])
def test_cookie_flags(store, clock, secure):
    """No script reads the cookie, no other site has it sent; with TLS it is bound to the host."""
    response = Response()
    Sessions(store, LIFE, secure=secure, clock=clock).begin(browser(), response, ADA)
    [cookie] = cookies(response)
    assert cookie.key == ("__Host-activity_session" if secure else "activity_session")
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["secure"] == (True if secure else "")
    assert (cookie["domain"], cookie["max-age"]) == ("", str(LIFE.absolute))
    assert len(cookie.value) == 43  # 256 bits


def test_file_holds_no_cookie(sessions, tmp_path):
    """Who reads the database cannot use what stands in it; nobody else may read it anyway."""
    value = begin(sessions)
    folder = tmp_path / "data"
    kept = b"".join(path.read_bytes() for path in folder.iterdir())
    assert value.encode() not in kept
    assert hashlib.sha256(value.encode()).hexdigest().encode() in kept
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_ends_without_use(sessions, clock):
    """Use prolongs a session; eight hours without any end it, and it stays ended."""
    value = begin(sessions, GRACE)
    for _ in range(3):
        clock.now += 7.9 * HOUR
        assert sessions.recognize(browser(value))
    clock.now += 8.1 * HOUR
    assert sessions.recognize(browser(value)) is None
    clock.now -= 8 * HOUR
    assert sessions.recognize(browser(value)) is None


def test_ends_after_its_whole_life(sessions, clock):
    """Seven days end a session that is used all the time."""
    value = begin(sessions, GRACE)
    for _ in range(7 * 24 - 1):
        clock.now += HOUR
        assert sessions.recognize(browser(value))
    clock.now += HOUR
    assert sessions.recognize(browser(value)) is None


@pytest.mark.parametrize("claim", [{"organizations": {"o1": ("admin",)}}, {"platform_roles": "x"}])
def test_claimed_roles_do_not_last(sessions, clock, claim):
    """Roles that came with the sign-in cannot be looked up again: eight hours end the session."""
    value = begin(sessions, replace(GRACE, **claim))
    for _ in range(15):
        clock.now += HOUR / 2
        assert sessions.recognize(browser(value))
    clock.now += HOUR / 2
    assert sessions.recognize(browser(value)) is None


def test_looking_after_it_is_no_use(sessions, clock):
    """An open live tail, which looks every minute, does not keep a session alive."""
    value = begin(sessions, GRACE)
    for _ in range(15):
        clock.now += HOUR / 2
        assert sessions.recognize(browser(value), use=False)
    clock.now += HOUR / 2
    assert sessions.recognize(browser(value), use=False) is None


def test_a_shorter_life_counts_at_once(sessions, store, clock):
    """After the configuration is made stricter, sessions from before obey it."""
    value = begin(sessions)
    clock.now += 2 * HOUR
    strict = Sessions(store, Life(idle=3600, absolute=3600), secure=True, clock=clock)
    assert strict.recognize(browser(value)) is None


def test_sign_out_revokes(sessions):
    """After signing out the cookie is removed, and a copy of it is worth nothing."""
    value = begin(sessions)
    other = begin(sessions)
    response = Response()
    sessions.end(browser(value), response)
    [cookie] = cookies(response)
    assert (cookie.value, cookie["max-age"]) == ("", "0")
    assert sessions.recognize(browser(value)) is None
    assert sessions.recognize(browser(other))


def test_sign_in_changes_the_id(sessions):
    """An id from before the sign-in is worth nothing after it (session fixation)."""
    planted = begin(sessions, Subject("oidc", "mallory"))
    value = begin(sessions, ADA, had=planted)
    assert value != planted
    assert sessions.recognize(browser(planted)) is None
    assert sessions.recognize(browser(value)).name == "ada"


def test_an_id_from_elsewhere_is_never_taken(sessions):
    """A made-up id starts no session, and stays nobody's after a sign-in with it."""
    made_up = "A" * 43
    value = begin(sessions, ADA, had=made_up)
    assert value != made_up
    assert sessions.recognize(browser(made_up)) is None


@pytest.mark.parametrize("value", ["x", "A" * 42, "A" * 44, "A" * 5000, "%00" * 15, "ü" * 43])
def test_nonsense_is_nobody(sessions, value):
    """A cookie that cannot be one of ours is nobody's."""
    assert sessions.recognize(browser(value)) is None


def test_the_cookie_of_the_other_kind_does_not_count(sessions):
    """With TLS, a cookie that a page without TLS could have set is not looked at."""
    value = begin(sessions)
    assert sessions.recognize(browser(value, name="activity_session")) is None


def test_old_ones_are_swept(sessions, clock, tmp_path):
    """A sign-in removes what is over, so that the file does not grow."""
    for _ in range(5):
        begin(sessions)
    clock.now += 9 * HOUR
    value = begin(sessions)
    assert _count(tmp_path) == 1
    assert sessions.recognize(browser(value))


def test_one_person_has_so_many(sessions, clock, tmp_path):
    """Beyond the bound the oldest session of this person ends, and nobody else's."""
    other = begin(sessions, Subject("oidc", "grace"))
    values = []
    for _ in range(MAX_OF_ONE + 2):
        clock.now += 1
        values.append(begin(sessions))
    assert _count(tmp_path) == MAX_OF_ONE + 1
    assert [bool(sessions.recognize(browser(value))) for value in values[:3]] == [
        False,
        False,
        True,
    ]
    assert sessions.recognize(browser(other))


def _count(tmp_path) -> int:
    connection = sqlite3.connect(tmp_path / "data" / FILE)
    try:
        return connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
    finally:
        connection.close()


def _work(folder, planted, answers) -> None:
    """A worker process: starts its own sessions, uses those of the parent."""
    store = Store(folder)
    sessions = Sessions(store, LIFE, secure=True)
    mine = [begin(sessions, Subject("oidc", "ada")) for _ in range(20)]
    known = [bool(sessions.recognize(browser(value))) for value in [*mine, *planted]]
    answers.put((mine, all(known)))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_share_them(tmp_path, method):
    """What one process begins or ends counts in all, also in those forked from it."""
    folder = tmp_path / "data"
    store = Store(folder)
    sessions = Sessions(store, LIFE, secure=True)
    planted = [begin(sessions) for _ in range(3)]
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    workers = [context.Process(target=_work, args=(folder, planted, answers)) for _ in range(3)]
    for worker in workers:
        worker.start()
    told = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
        assert worker.exitcode == 0
    assert all(known for _, known in told)
    for mine, _ in told:
        assert all(sessions.recognize(browser(value)) for value in mine)
        sessions.end(browser(mine[0]), Response())
        assert sessions.recognize(browser(mine[0])) is None
    store.close()


def _use_inherited(sessions, value, answers) -> None:
    answers.put(bool(sessions.recognize(browser(value))))


def test_a_fork_uses_no_connection_of_its_parent(tmp_path):
    """A process that was forked with an open store opens a connection of its own."""
    store = Store(tmp_path / "data")
    sessions = Sessions(store, LIFE, secure=True)
    value = begin(sessions)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_use_inherited, args=(sessions, value, answers))
    child.start()
    assert answers.get(timeout=60)
    child.join(timeout=60)
    assert child.exitcode == 0
    assert sessions.recognize(browser(value))
    sessions.end(browser(value), Response())
    assert sessions.recognize(browser(value)) is None
    store.close()


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    """A wrong data folder is said at the start, with its path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as wrong:
        Store(tmp_path / "file" / "data")
    assert str(tmp_path / "file" / "data") in str(wrong.value)


def test_a_broken_file_is_unavailable(sessions, store, tmp_path):
    """A database that breaks while running is a 503, not a fault without words."""
    value = begin(sessions)
    store.close()
    for path in (tmp_path / "data").iterdir():
        path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(Unavailable, match="sign-ins"):
        sessions.recognize(browser(value))
