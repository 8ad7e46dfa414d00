"""The OpenTelemetry SDK as sender, all the way to activities in a spool on disk."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    InMemoryLogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import StatusCode

from activity_center.config import SenderConfig
from activity_center.errors import SpoolFull
from collector.normalize.timestamps import from_nanoseconds
from collector.pipeline import Pipeline
from collector.records import Entry, Reject
from collector.rejected import RejectedStore
from collector.spool import Spool
from tests.collector.pipeline_parts import pipeline
from tests.collector.receive.conftest import SENDERS, Serve

AGENTS = SenderConfig(
    name="agents",
    token_sha256=SENDERS[1].token_sha256,
    sources=frozenset({"claude-code", "otel-genai"}),
    organizations=frozenset({"acme"}),
    may_assert=frozenset({"approver"}),
)
TIME = time.time_ns()
HEADERS = {"Authorization": "Bearer token-of-app"}


class Durable:
    """A spool on disk, and what was made durable in it; may be full for a while."""

    def __init__(self, folder: Path) -> None:
        self.rejected = RejectedStore(folder / "rejected")
        self.spool = Spool.open(folder / "0", quota_bytes=1 << 30, rejected=self.rejected)
        self.entries: list[Entry] = []
        self.rejects: list[Reject] = []
        self.full = 0

    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        if self.full:
            self.full -= 1
            full = SpoolFull("no room")
            full.retry_after = 1
            raise full
        await self.spool.append(entries, rejects)
        self.entries += entries
        self.rejects += rejects

    def by_action(self) -> dict[str, dict[str, Any]]:
        """The activities, by action; those in the stream of rejected ones left out."""
        found = [orjson.loads(one.body) for one in self.entries if "rejected" not in one.stream]
        return {one["event"]["action"]: one for one in found}


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Durable]:
    """Where the activities of a test go."""
    made = Durable(tmp_path / "spool")
    yield made
    made.spool.close()
    made.rejected.close()


@pytest.fixture
def endpoint(serve: Serve, durable: Durable) -> str:
    """The address of a server in front of all stages."""
    serve.sink = Pipeline(pipeline().stages, durable)  # type: ignore[assignment]
    return f"http://{serve.http(senders=(AGENTS,)).address}"


def tracing(endpoint: str, **options: Any) -> TracerProvider:
    provider = TracerProvider(resource=Resource.create({"service.name": "ops-pilot"}))
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", headers=HEADERS, **options)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def tool_span(provider: TracerProvider, call: str = "call_1", **more: Any) -> None:
    """A tool call, as the semantic conventions have it."""
    tracer = provider.get_tracer("agents", "1")
    with tracer.start_as_current_span("execute_tool restart_service") as span:
        span.set_attributes(
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "restart_service",
                "gen_ai.tool.call.id": call,
                "gen_ai.tool.call.arguments": json.dumps({"service": "nginx", "password": "pw-1"}),
                "gen_ai.agent.name": "Ops Pilot",
                **more,
            }
        )
        if more:
            span.set_status(StatusCode.ERROR, "unit did not start")


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_spans(endpoint: str, durable: Durable, compression: Compression) -> None:
    """Tool calls become activities with digest, outcome, time and organization; requests to
    models and other spans do not, and are no failure."""
    provider = tracing(endpoint, compression=compression)
    tool_span(provider)
    tool_span(provider, "call_2", **{"error.type": "TimeoutError"})
    with provider.get_tracer("http").start_as_current_span("GET"):
        pass
    assert provider.force_flush()
    provider.shutdown()
    documents = [orjson.loads(one.body) for one in durable.entries]
    done, failed = sorted(documents, key=lambda one: str(one["gen_ai"]["tool"]["call"]["id"]))
    assert durable.spool.records == 2
    assert durable.rejects == []
    assert done["event"]["action"] == "agent.tool.call"
    assert done["event"]["module"] == "otel-genai"
    assert done["event"]["id"] == f"{done['trace']['id']}-{done['span']['id']}"
    assert done["organization"] == {"id": "acme"}
    assert done["activity"]["proposal"]["stage"] == "completed"
    assert done["activity"]["execution"]["digest"].startswith("hmac-sha256:")
    assert done["activity"]["sender"] == "agents"
    assert done["activity"]["timestamp_source"] == "event"
    assert done["@timestamp"] == done["event"]["end"]
    assert done["gen_ai"]["tool"]["call"]["arguments"]["password"] == "[redacted]"
    assert done["service"]["name"] == "ops-pilot"
    assert all(b"pw-1" not in one.body for one in durable.entries)
    assert failed["event"]["outcome"] == "failure"
    assert failed["activity"]["proposal"]["stage"] == "failed"
    assert failed["activity"]["execution"]["error"] == "unit did not start"
    assert failed["error"]["type"] == "TimeoutError"


def logging_(endpoint: str) -> tuple[LoggerProvider, OTLPLogExporter]:
    exporter = OTLPLogExporter(
        f"{endpoint}/v1/logs", headers=HEADERS, compression=Compression.Gzip, timeout=20
    )
    provider = LoggerProvider(resource=Resource.create({"service.name": "claude-code"}))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return provider, exporter


def emit(provider: LoggerProvider, name: str, **attributes: Any) -> None:
    """A log event, as Claude Code sends it."""
    provider.get_logger("com.anthropic.claude_code.events").emit(
        LogRecord(
            timestamp=TIME,
            severity_number=SeverityNumber.INFO,
            body=f"claude_code.{name}",
            attributes={
                "event.name": name,
                "session.id": "s-1",
                "user.email": "mira@northwind.example",
                "prompt.id": "p-1",
                **attributes,
            },
        )
    )


def test_decisions_and_results(endpoint: str, durable: Durable) -> None:
    """Claude Code's events make one chain: who decided (whom nobody has authenticated, although
    the sender may speak for approvers elsewhere), and what then ran, bound by one digest."""
    provider, _ = logging_(endpoint)
    parameters = json.dumps({"bash_command": "rm", "full_command": "rm -rf /tmp/cache"})
    call = {"tool_name": "Bash", "tool_use_id": "toolu_1", "tool_parameters": parameters}
    emit(provider, "user_prompt", prompt="free some space")
    emit(provider, "api_request", model="claude-sonnet-4-6")
    emit(provider, "tool_decision", decision="accept", source="user_temporary", **call)
    emit(provider, "tool_result", success="false", error="denied by the kernel", **call)
    assert provider.force_flush()
    provider.shutdown()
    assert durable.spool.records == 3
    assert durable.rejects == []
    found = durable.by_action()
    approved, ran = found["agent.proposal.approved"], found["agent.tool.call"]
    assert found["agent.prompt"]["message"] == "free some space"
    assert approved["activity"]["approver"] == {
        "authenticated": False,
        "email": "mira@northwind.example",
        "name": "mira@northwind.example",
    }
    assert approved["activity"]["decision"] == {
        "outcome": "approved",
        "scope": "once",
        "source": "user",
    }
    assert ran["activity"]["proposal"]["stage"] == "failed"
    assert ran["activity"]["execution"]["error"] == "denied by the kernel"
    assert ran["activity"]["execution"]["digest"] == approved["activity"]["proposal"]["digest"]
    assert ran["gen_ai"]["tool"]["call"]["id"] == approved["gen_ai"]["tool"]["call"]["id"]
    assert {one["activity"]["case"]["id"] for one in found.values()} == {"p-1"}
    assert approved["@timestamp"] == from_nanoseconds(TIME).text


def test_the_sdk_sends_again_when_there_is_no_room(endpoint: str, durable: Durable) -> None:
    """A full spool is answered so that the SDK waits and comes again; what it then repeats is
    the same event."""
    durable.full = 1
    kept = InMemoryLogRecordExporter()
    provider, exporter = logging_(endpoint)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    emit(provider, "tool_decision", decision="reject", source="user_reject", tool_name="Bash")
    assert provider.force_flush()
    assert (durable.full, len(durable.entries)) == (0, 1)
    assert exporter.export(kept.get_finished_logs()) is LogRecordExportResult.SUCCESS
    provider.shutdown()
    first, again = durable.entries
    assert (first.id, first.hash) == (again.id, again.hash)


def test_what_nobody_maps_is_rejected_and_told(
    endpoint: str, durable: Durable, caplog: pytest.LogCaptureFixture
) -> None:
    """A log record of another program is kept as rejected: the SDK takes that for a success."""
    provider, _ = logging_(endpoint)
    with caplog.at_level(logging.WARNING):
        provider.get_logger("other").emit(LogRecord(timestamp=TIME, body="disk is full"))
        assert provider.force_flush()
        provider.shutdown()
    assert [one.reason for one in durable.rejects] == ["no_source"]
    assert not [one for one in caplog.records if "ailed to export" in one.getMessage()]
