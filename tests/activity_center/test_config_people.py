"""The people's file of its own: what is wrong in it is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from activity_center.config import load
from activity_center.errors import ConfigError
from tests.activity_center.test_config_sidecar import DIGEST, write


@pytest.mark.parametrize(
    ("people", "line", "words"),
    [
        ("- {id: u}\n- {id: v, organizations: {a: amdin}}", 2, "1.organizations.a: no role is"),
        ("- {id: u}\n- {id: w, nmae: x}", 2, "1.nmae: no such key; did you mean 'name'?"),
        ("- {id: u}\n\n- {id: first}", 3, "2 finding"),
        ("people: []", 1, "(top): must be a list"),
        ("- u", 1, "0: must be a mapping of keys to values"),
        ("- {id: '${NOPE}'}", 1, "the environment variable NOPE is not set"),
    ],
)
def test_a_wrong_people_file_is_named_itself(
    tmp_path: Path, people: str, line: int, words: str
) -> None:
    """A finding in the file of people names that file and its line."""
    text = "identity:\n  people_file: PEOPLE\n  people: [{id: first}]\nsidecar: {workers: 0}"
    file = write(tmp_path, text, people)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert f"{tmp_path / 'people.yml'}:{line}:" in str(caught.value)
    assert words in str(caught.value)
    assert f"{file}:4: sidecar.workers" in str(caught.value)


def test_a_token_of_a_broken_people_file_is_no_second_finding(tmp_path: Path) -> None:
    """That its person is unknown may only follow from the other file's finding."""
    text = (
        "identity:\n  people_file: PEOPLE\n"
        f"  tokens: [{{name: t, person: u, token_sha256: {DIGEST}}}]"
    )
    with pytest.raises(ConfigError, match="1 finding\n") as caught:
        load(write(tmp_path, text, "- {name: u}\n"), {})
    assert "no person has the id" not in str(caught.value)
