"""Secrets are removed wherever they stand; what is clean is left as it is."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_center.config import Redaction
from activity_center.errors import ConfigError
from collector.redact import REPLACEMENT, Redactor

REDACTOR = Redactor()
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"

SECRETS = [
    {"password": "hunter22"},
    {"user": {"newPassword": "hunter22"}},
    {"API-Key": "hunter22"},
    {"client_secret": ["hunter22", {"x": "y", "value": "hunter22"}]},
    {"headers": {"Authorization": "hunter22", "Set-Cookie": "sid=hunter22"}},
    {"secret": {"value": "hunter22", "name": "db"}},
    {"env": [{"name": "DB_PASSWORD", "value": "hunter22"}]},
    {"changes": [{"field": "smtp.password", "old": "hunter22", "new": "hunter22"}]},
    {"otp": 22334455},
    {"x": json.dumps({"a": json.dumps({"password": "hunter22"})})},
    {"sessions": {"ghp_0123456789abcdefABCDEF0123456789abcd": 1}},
    {"password_confirmation": "hunter22", "passwordConfirm": "hunter22", "password1": "hunter22"},
    {"passwords": ["hunter22"], "apiKeys": ["hunter22"], "cookies": ["sid=hunter22"]},
    {"tokens": ["hunter22"]},
    {"sshPrivateKeys": ["hunter22"], "private_key_pem": "hunter22", "passcode": "hunter22"},
    {"clientSecretValue": "hunter22", "tokenValue": "hunter22"},
    {"secret": {"db": "hunter22", "id": "s1"}},
    {"credentials": {"pin": 22334455, "nested": {"a": ["hunter22"]}}},
    {"args": ["mysqldump", "--password", "hunter22", "main"]},
    {"changes": [{"field": "smtp.password", "old": {"v": "hunter22"}}]},
    {"command": "mysql -u root --password hunter22 -h db"},
    {"command": "curl -u x https://h/?api_key=hunter22&page=2"},
    {"url": "postgres://app:hunter22@db/main"},
    {"header": "Authorization: Bearer aGVsbG8gd29ybGQ1hunter22"},
    {"text": '{"password": "hunter22"}'},
    {"note": f"token was {JWT} then"},
    {"key": "-----BEGIN RSA PRIVATE KEY-----\nhunter22\n-----END RSA PRIVATE KEY-----"},
    {"id": "AKIAIOSFODNN7EXAMPLE"},
    {"remote": "ghp_0123456789abcdefABCDEF0123456789abcd"},
]
LEFT_ALONE = [
    {"event": {"action": "token.create"}},
    {"max_tokens": 5, "usage": {"input_tokens": 12}},
    {"message": "basic authentication failed"},
    {"message": "the secret is out there"},
    {"secretName": "db-credentials-ref"},
    {"password": "", "token": None, "mfa": True},
    {"url": "https://example.org/a:b@c/path"},
    {"password_policy": "strict", "passwordChangedAt": "2026-11-24", "password_min_length": 12},
    {"secretRef": {"name": "db", "namespace": "prod"}, "secret": {"name": "db", "kind": "Secret"}},
    {"args": ["kubectl", "--token-file", "/run/t", "get", "secrets"]},
    {"token": {"id": "tok_1", "name": "ci"}},
]


@pytest.mark.parametrize("record", SECRETS, ids=lambda record: str(record)[:40])
def test_a_secret_is_found_and_removed(record: dict[str, Any]) -> None:
    """The cheap scan finds it, and the walk removes every trace."""
    assert REDACTOR.suspect(orjson.dumps(record))
    cleaned = orjson.dumps(REDACTOR.clean(record)).decode()
    assert REPLACEMENT in cleaned
    for trace in ("hunter22", "22334455", "AKIAIOSF", "ghp_0", JWT[:30]):
        assert trace not in cleaned


@pytest.mark.parametrize("record", LEFT_ALONE, ids=lambda record: str(record)[:40])
def test_what_only_sounds_like_a_secret_stays(record: dict[str, Any]) -> None:
    """A trail full of "[redacted]" would be no evidence."""
    assert REDACTOR.clean(record) == record


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=10) | st.sampled_from(["password", "a"]), inner, max_size=3
        )
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.text(max_size=10), json_values, max_size=4))
def test_the_scan_never_misses_what_the_walk_removes(record: dict[str, Any]) -> None:
    """A miss of the scan would be a secret on disk."""
    try:
        body = orjson.dumps(record)
    except TypeError:
        return
    if REDACTOR.clean(record) is not record:
        assert REDACTOR.suspect(body)


@given(st.dictionaries(st.text(max_size=10), json_values, max_size=4))
def test_cleaning_twice_changes_nothing(record: dict[str, Any]) -> None:
    """A repeat of a redacted record keeps its identity."""
    once = REDACTOR.clean(record)
    assert repr(REDACTOR.clean(once)) == repr(once)


def test_own_keys_and_patterns() -> None:
    """The configuration adds names and patterns."""
    own = Redactor(Redaction(keys=("Tax-Number",), patterns=(r"\bEMP-[0-9]{6}\b",)))
    record = {"taxNumber": "12 345", "note": "badge EMP-123456 used"}
    assert own.suspect(orjson.dumps({"taxNumber": "12 345"}))
    assert own.suspect(orjson.dumps({"note": record["note"]}))
    assert own.clean(record) == {"taxNumber": REPLACEMENT, "note": f"badge {REPLACEMENT} used"}


@pytest.mark.parametrize("pattern", ["(", "a*", r"(?=x)y"])
def test_a_wrong_pattern_is_refused_at_load(pattern: str) -> None:
    """RE2 only, and never one that matches everything."""
    with pytest.raises(ConfigError, match="pattern"):
        Redactor(Redaction(patterns=(pattern,)))


def test_any_record_can_be_kept_as_text() -> None:
    """The rejected store takes what no JSON writer on the accept path would."""
    record = {1: b"\xff", "n": float("nan"), "big": 2**80, "s": "\ud800", "password": "hunter22"}
    text = REDACTOR.json(record)
    assert b"hunter22" not in text
    assert str(2**80).encode() in text
    assert REDACTOR.json({"a": {"b": "c"}}) == b'{"a":{"b":"c"}}'


def test_nothing_is_shown_from_where_nobody_looks() -> None:
    """Deeper than the walk goes, a secret could stand."""
    record: dict[str, Any] = {"password": "hunter22"}
    for _ in range(150):
        record = {"a": record}
    assert REDACTOR.suspect(orjson.dumps(record))
    assert b"hunter22" not in orjson.dumps(REDACTOR.clean(record))


def test_keys_that_are_secrets_keep_their_values_apart() -> None:
    """Two session tokens as keys are still two sessions."""
    token = "ghp_0123456789abcdefABCDEF0123456789abc"
    assert REDACTOR.clean({token + "d": 1, token + "e": 2, "f": 3}) == {
        "[redacted]-1": 1, "[redacted]-2": 2, "f": 3}  # fmt: skip
