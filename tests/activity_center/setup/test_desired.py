"""What should be: read from data, checked as it is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from activity_center import config as configuration
from activity_center.errors import VocabularyError
from activity_center.setup import desired_state, desired_streams
from activity_center.setup.access import administrator
from activity_center.setup.desired import role_version
from activity_center.streams import LENSES
from activity_center.vocabulary import retention_classes


def test_all_lenses_and_classes_have_a_stream() -> None:
    """``install`` creates all lens × class streams and the rejected one, the collector none."""
    streams = desired_streams()
    assert len(streams) == len(LENSES) * len(retention_classes()) + 2
    assert {"activity-rejected", "activity-alerts"} < set(streams)
    assert len(set(streams)) == len(streams)


def test_each_stream_has_a_template_of_ours() -> None:
    """No stream could become a plain index for want of a template."""
    from activity_center.setup.plan import template_of

    desired = desired_state()
    assert all(template_of(stream, desired) for stream in desired.streams)
    assert all("data_stream" in (template_of(stream, desired) or {}) for stream in desired.streams)


def test_organizations_with_streams_of_their_own(tmp_path: Path) -> None:
    """They get their plan's class and the legal ones, for each lens; others get none."""
    file = tmp_path / "activity-center.yml"
    file.write_text(
        "organizations:\n"
        "  acme: {plan: standard, own_streams: true}\n"
        "  globex: {plan: team}\n"
        "  initech: {own_streams: true}\n"
    )
    streams = desired_streams(configuration.load(file))
    own = sorted(name for name in streams if name.endswith(("-acme", "-globex", "-initech")))
    assert own == sorted(
        f"activity-{lens}-{end}"
        for lens in LENSES
        for end in (
            "standard-30d-acme",
            "billing-7y-acme",
            "permanent-initech",
            "billing-7y-initech",
        )
    )


def test_an_organization_with_streams_of_its_own_has_a_role(tmp_path: Path) -> None:
    """It names that organization's streams, of all lenses and classes, and no shared one."""
    file = tmp_path / "activity-center.yml"
    file.write_text("organizations:\n  30d: {own_streams: true}\n  globex: {}\n")
    config = configuration.load(file)
    roles = desired_state(config).roles
    assert roles.keys() - desired_state().roles.keys() == {"activity-center-organization-30d"}
    role = roles["activity-center-organization-30d"]
    (part,) = role["index_permissions"]
    named = set(part["index_patterns"])
    own = {f"activity-{lens}-{name}-30d" for lens in LENSES for name in retention_classes()}
    assert named == own | {f"restored-{stream}-*" for stream in own}
    assert named >= set(desired_streams(config)) - set(desired_streams())
    assert not named & set(desired_streams())
    auditor = desired_state().roles["activity-center-auditor"]["index_permissions"][0]
    assert part["allowed_actions"] == auditor["allowed_actions"]
    assert role_version(role) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        ('{"template": {}}', "_meta"),
        ('{"_meta": {"owner": "x"}}', "_meta"),
    ],
)
def test_broken_templates_are_named(tmp_path: Path, content: str, words: str) -> None:
    """A file that is not ours or not JSON is refused with its path."""
    for folder in ("component", "index"):
        (tmp_path / folder).mkdir()
    (tmp_path / "component" / "bad.json").write_text(content)
    with pytest.raises(VocabularyError, match=words) as caught:
        desired_state(templates_folder=tmp_path)
    assert "bad.json" in str(caught.value)


def test_roles_must_say_that_they_are_ours(tmp_path: Path) -> None:
    """A role has no ``_meta``: its description carries owner and version."""
    (tmp_path / "r.json").write_text(json.dumps({"description": "something"}))
    with pytest.raises(VocabularyError, match="activity-center v1"):
        desired_state(roles_folder=tmp_path)


def test_which_account_sets_up(tmp_path: Path) -> None:
    """The environment's login wins over the file's; its address need not be repeated."""
    file = tmp_path / "activity-center.yml"
    secret = tmp_path / "secret"
    secret.write_text("s")
    secret.chmod(0o600)
    file.write_text(
        f"opensearch:\n  url: https://c:9200\n  username: deliver\n  password_file: {secret}\n"
        f"  maintain: {{username: maintain, password_file: {secret}}}\n"
    )
    config = configuration.load(file)
    assert administrator(None, {}) is None
    assert administrator(config, {"OPENSEARCH_URL": "http://x:1"}) is None
    own = administrator(config, {})
    assert own is not None
    assert (own.url, own.username) == ("https://c:9200", "maintain")
    given = administrator(config, {"OPENSEARCH_USERNAME": "root", "OPENSEARCH_PASSWORD": "p"})
    assert given is not None
    assert (given.url, given.username) == ("https://c:9200", "root")
