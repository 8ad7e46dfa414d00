"""The OpenTelemetry SDK, a collector of two processes, and activities in OpenSearch."""

from __future__ import annotations

import stat
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

from activity_center.setup import desired_state, install
from activity_center.streams import LENS_PATTERNS
from tests.integration.process import TOKEN, Collector, until


@pytest.fixture(scope="module")
def node(opensearch: Any) -> Any:
    """The run's node, set up."""
    install(opensearch.client, desired_state())
    return opensearch


def _send(collector: Collector, session: str, **attributes: str) -> None:
    """Send one event of Claude Code over a connection of its own."""
    exporter = OTLPLogExporter(
        f"{collector.url}/v1/logs", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    name = attributes["event.name"]
    provider.get_logger("claude").emit(
        LogRecord(
            timestamp=time.time_ns(),
            body=f"claude_code.{name}",
            attributes={
                "session.id": session,
                "tool_name": "Bash",
                "tool_parameters": '{"full_command": "rm -rf /tmp/cache --token hunter22"}',
                **attributes,
            },
        )
    )
    assert provider.force_flush()
    provider.shutdown()


def test_a_chain_over_two_processes(node: Any, tmp_path: Path) -> None:
    """Decisions and results that reach different processes of a collector are in OpenSearch with
    the same digest: the key is one file, which its owner alone can read."""
    session = uuid.uuid4().hex
    collector = Collector(tmp_path, node.cluster, workers=2, deliver={"linger": 0.05})
    with collector:
        collector.start()
        collector.wait_ready(worker=1)
        records, calls = "activity_center_records_total", []

        def spread() -> bool:
            call = f"toolu_{len(calls)}"
            calls.append(call)
            decided = {"decision": "accept", "source": "user_temporary", "tool_use_id": call}
            _send(collector, session, **{"event.name": "tool_decision", **decided})
            ran = {"success": "true", "tool_use_id": call}
            _send(collector, session, **{"event.name": "tool_result", **ran})
            return all(collector.metric(records, worker) > 0 for worker in (0, 1))

        until(spread)
        collector.wait_delivered(workers=2)
        assert collector.terminate() == 0, collector.tail()
    key = collector.data_dir / "keys" / "digest.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    node.client.indices.refresh(index=",".join(LENS_PATTERNS))
    answer = node.client.search(
        index="activity-agent-*",
        body={"size": 500, "query": {"term": {"gen_ai.conversation.id": session}}},
    )
    found = [hit["_source"] for hit in answer["hits"]["hits"]]
    assert len(found) == 2 * len(calls)
    digests = {
        one["activity"].get(group, {}).get("digest")
        for one in found
        for group in ("proposal", "execution")
    } - {None}
    assert len(digests) == 1
    stages = sorted(one["activity"]["proposal"]["stage"] for one in found)
    assert stages == ["approved"] * len(calls) + ["completed"] * len(calls)
    assert "hunter22" not in str(found)
