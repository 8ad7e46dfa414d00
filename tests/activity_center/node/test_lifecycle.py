"""Real nodes: started, restarted, killed, side by side, failing, secured."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opensearchpy.exceptions import NotFoundError

from activity_center import node
from activity_center.errors import NodeError
from activity_center.node.folders import node_folder
from activity_center.node.process import identify
from activity_center.node.record import read_record

needs_proc = pytest.mark.skipif(not Path("/proc/self/net").exists(), reason="needs /proc")


def test_starting_twice_gives_the_same_node(opensearch: Any) -> None:
    """start is idempotent, and status agrees with it."""
    name = opensearch.info.name
    assert node.start(name) == opensearch.info == node.status(name)
    assert not opensearch.info.username
    assert Path(opensearch.info.log_file).stat().st_size > 0


def test_a_running_node_is_not_passed_off_as_another(opensearch: Any) -> None:
    """Asking for options that the running node lacks is an error, not silence."""
    for options in ({"secure": True}, {"heap": "1g"}, {"settings": {"a": "b"}}, {"port": 1}):
        with pytest.raises(NodeError, match="is running with"):
            node.start(opensearch.info.name, **options)  # type: ignore[arg-type]


@needs_proc
def test_only_this_machine_is_served(opensearch: Any) -> None:
    """Every port that the node opens is bound to loopback."""
    hexadecimal = set()
    for table in ("tcp", "tcp6"):
        descriptors = Path(f"/proc/{opensearch.info.pid}/fd")
        inodes = {str(link.readlink()) for link in descriptors.iterdir() if link.is_symlink()}
        for line in Path(f"/proc/{opensearch.info.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                hexadecimal.add(fields[1].partition(":")[0])
    assert hexadecimal
    assert hexadecimal <= {"0100007F", "0000000000000000FFFF00000100007F"}


@needs_proc
def test_the_node_does_not_run_as_root(opensearch: Any) -> None:
    """Under root the node has another account and no group of ours."""
    lines = Path(f"/proc/{opensearch.info.pid}/status").read_text().splitlines()
    facts = dict(line.split(":", 1) for line in lines)
    assert "0" not in facts["Uid"].split()
    if os.geteuid() == 0:
        assert "0" not in facts["Gid"].split() + facts["Groups"].split()


def test_a_misspelt_stream_does_not_become_an_index(opensearch: Any) -> None:
    """Below our names nothing is created by writing to it; elsewhere as usual."""
    with pytest.raises(NotFoundError, match="forbids automatic creation"):
        opensearch.client.index(index="activity-aduit-permanent", body={"a": 1})
    opensearch.client.index(index="elsewhere", body={"a": 1})


def test_modules_are_there(opensearch: Any) -> None:
    """Scripts and update-by-query work: lang-painless and reindex are assembled."""
    client = opensearch.client
    client.index(index="scripted", id="1", body={"a": 1}, params={"refresh": "true"})
    answer = client.update_by_query(
        index="scripted", body={"script": {"source": "ctx._source.a += 41"}}
    )
    assert answer["updated"] == 1
    assert client.get(index="scripted", id="1")["_source"] == {"a": 42}


def test_data_and_port_survive_a_crash(own_node: Callable[..., Any], opensearch: Any) -> None:
    """A node beside another one, secured; killed and started again it has its port, data,
    options, password and certificates."""
    own = own_node({"indices.query.bool.max_clause_count": "1234"}, secure=True)
    assert own.url != opensearch.url
    own.client.index(index="kept", id="1", body={"a": 1})
    left_over = node_folder(own.name).temporary / "left-over"
    left_over.write_text("")
    own.kill()
    assert node.status(own.name) is None
    before = own.cluster
    own.start()
    assert own.cluster == before
    assert own.client.info()["version"]["number"] == own.info.version
    assert own.client.get(index="kept", id="1")["_source"] == {"a": 1}
    settings = own.client.cluster.get_settings(include_defaults=True, flat_settings=True)
    assert "1234" in {
        scope.get("indices.query.bool.max_clause_count") for scope in settings.values()
    }
    assert not left_over.exists()

    own.stop()
    assert not node.stop(own.name)
    log = Path(own.info.log_file).read_text()
    assert "closed" in log.splitlines()[-1]
    folder = node_folder(own.name)
    own.close()
    assert not folder.root.exists()
    assert not node.wipe(own.name)


def test_a_recorded_number_of_another_process_is_not_stopped() -> None:
    """stop ends the recorded process only, not whoever has its number now."""
    folder = node_folder("impostor")
    folder.root.mkdir(parents=True)
    folder.record.write_text(
        '{"options": {"port": 1}, "version": "3.4.0",'
        f' "process": {{"pid": {os.getpid()}, "started": "before"}}}}'
    )
    assert node.status("impostor") is None
    assert not node.stop("impostor")
    assert not node.kill("impostor")
    assert node.wipe("impostor")


def test_a_damaged_record_says_where(tmp_path: Path) -> None:
    """A node.json that cannot be read is named, and wipe still works."""
    folder = node_folder("damaged")
    folder.root.mkdir(parents=True)
    folder.record.write_text("{")
    with pytest.raises(NodeError, match=r"node\.json"):
        node.status("damaged")
    assert node.wipe("damaged")
    assert not folder.root.exists()


def test_a_failing_start_shows_the_log_and_leaves_no_process() -> None:
    """The error carries the end of the log and names the file; nothing keeps running."""
    with pytest.raises(NodeError) as failed:
        node.start("failing", settings={"no.such.setting": "1"}, fast=True)
    message = str(failed.value)
    assert "no.such.setting" in message
    assert str(node_folder("failing").log_file) in message
    record = read_record(node_folder("failing"))
    assert record is not None
    assert record.process is not None
    assert identify(record.process.pid) is None
    node.wipe("failing")


def test_a_taken_port_is_named() -> None:
    """A port that another program has is reported before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(NodeError, match=f"port {port} is in use"):
            node.start("unlucky", port=port, fast=True)
    assert not node.exists("unlucky")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the account")
def test_a_closed_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A state folder that the node's account cannot enter is said plainly, with the remedy."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("ACTIVITY_CENTER_STATE", str(tmp_path))
    with pytest.raises(NodeError, match="cannot write there") as refused:
        node.start("closed", fast=True)
    assert "ACTIVITY_CENTER_STATE" in str(refused.value)
