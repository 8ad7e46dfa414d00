"""The checks of the data files: ours pass, and each kind of mistake is told with its line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from activity_center.errors import VocabularyError
from activity_center.vocabulary import check, retention_classes
from activity_center.vocabulary.files import FILES
from activity_center.vocabulary.load import FOLDER


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the data files."""
    for name in FILES:
        shutil.copy(FOLDER / name, tmp_path / name)
    return tmp_path


def test_ours_are_right() -> None:
    """The data files of the package satisfy their schemas and each other."""
    check()


def test_a_copy_is_right(folder: Path) -> None:
    """The checks work on files that stand elsewhere."""
    check(folder)


def replaced(folder: Path, name: str, old: str, new: str) -> int:
    """Replace ``old`` once; return the number of its line."""
    file = folder / name
    text = file.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
    file.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


MISTAKES: list[tuple[str, str, str, str]] = [
    ("fields.yml", "event.timezone: {type: keyword", "event.timezone: {type: keywrd", "keywrd"),
    ("fields.yml", "event.timezone: {type: keyword", "event.timezone: {tyype: keyword", "tyype"),
    ("fields.yml", "  event.end: {type: date", "  Event.End: {type: date", "Event.End"),
    ("fields.yml", "  event.end: {type: date", "  event.start: {type: date", "stands twice"),
    ("fields.yml", "related.hash: {", "user.id: {", "stands in two groups"),
    ("fields.yml", "related.hash: {", "user.id.part: {", "below user.id"),
    ("fields.yml", "example: 40418000000", "example: long", "is no long"),
    ("fields.yml", 'example: "+01:00"', "example: 1", "is no keyword"),
    ("fields.yml", "[permanent, billing-7y, standard-30d,", "[permanent, standard-30d,", "classes"),
    ("actions.yml", "server.stop: {verb: start-stop", "server.stop: {verb: halt", "halt"),
    ("actions.yml", "server.stop: {verb: start-stop,", "server.stop: {", "verb"),
    ("actions.yml", "server.stop: {", "server.start: {", "stands twice"),
    ("actions.yml", "site.resume: {", "server.stop: {", "stands in two groups"),
    ("actions.yml", "site.resume: {", "site.resume: {category: [wep], ", "wep"),
    ("actions.yml", "site.resume: {", "site.resume: {event_type: [denied], ", "ECS expects no"),
    ("actions.yml", "site.resume: {", "site.resume: {retention_class: forever, ", "forever"),
    ("actions.yml", "site.resume: {", "agent.resume: {", "agent lens"),
    ("actions.yml", "site.resume: {", "resume: {", "resume"),
    ("actions.yml", "served again", "served again.", "served again."),
    ("retention.yml", "days: 30,", "days: soon,", "soon"),
    ("permissions.yml", "roles: [platform_admin]", "roles: [root]", "root"),
]


@pytest.mark.parametrize(("name", "old", "new", "words"), MISTAKES)
def test_a_mistake_is_told_with_its_line(
    folder: Path, name: str, old: str, new: str, words: str
) -> None:
    """A finding names file and line of the mistake, and what is wrong with it."""
    line = replaced(folder, name, old, new)
    with pytest.raises(VocabularyError) as found:
        check(folder)
    told = [one for one in str(found.value).splitlines() if words in one]
    assert told, str(found.value)
    lines = {int(one.split(name + ":")[1].split(":")[0]) for one in told if name in one}
    # A value on a continued line is told by the line where its entry starts.
    assert any(line - 3 <= at <= line for at in lines), (line, told)


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    """Two mistakes in two files are two findings of one error."""
    replaced(folder, "retention.yml", "days: 30,", "days: soon,")
    replaced(folder, "permissions.yml", "roles: [platform_admin]", "roles: [root]")
    with pytest.raises(VocabularyError) as found:
        check(folder)
    assert "2 findings" in str(found.value)
    assert "retention.yml:" in str(found.value)
    assert "permissions.yml:" in str(found.value)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.unlink(), "cannot read it"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "not UTF-8"),
        (lambda file: file.write_text("classes: {"), "not YAML"),
        (lambda file: file.write_text("classes: !!python/object:os.system {}"), "not YAML"),
    ],
)
def test_a_spoiled_file_is_our_error(
    folder: Path, spoil: Callable[[Path], object], words: str
) -> None:
    """A file that is missing or no YAML is our error with its name, never a bare one."""
    spoil(folder / "retention.yml")
    with pytest.raises(VocabularyError, match=words) as found:
        retention_classes(folder)
    assert "retention.yml" in str(found.value)
