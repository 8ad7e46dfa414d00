"""Everything is replaced while everybody sends and reads: nothing is lost, nothing is doubled.

The rolling restart of the chart with real processes, in its order and with its signals.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activity_center.config import Cluster
from tests.collector.deliver.gate import Answer, Gate, Request
from tests.faults.collector.traffic import KEY_FIELD, STREAMS, Traffic
from tests.faults.rolling.load import SENDERS, Load, counted
from tests.faults.rolling.release import Release
from tests.integration.process import count_by_id

ROUNDS = 3
OUTAGE = 1
"""The round in which OpenSearch is away."""


@pytest.mark.timeout(600)
def test_all_are_replaced_under_load(opensearch: Any, tmp_path: Path) -> None:
    """One upgrade: every acknowledged event is in OpenSearch once, no watcher misses a step
    without being told or sees one twice, neither does the live tail, an export that was cut off
    is recognized and goes on elsewhere to the same file, and every process ends with 0."""
    release = Release(tmp_path, opensearch.cluster)
    try:
        release.start()
        with Load(release, tmp_path, opensearch.client) as load:
            load.begin_download()
            release.upgrade()
            print(load.finish(), release.exits)
            load.finish_download()
        release.stop()
        assert [one for one in release.exits if one[1] != 0] == []
    finally:
        release.close()


@pytest.mark.parametrize(
    "adopted",
    [
        pytest.param(False, id="comes back", marks=pytest.mark.slow),
        pytest.param(True, id="is adopted"),
    ],
)
def test_a_collector_that_is_scaled_in_keeps_what_it_could_not_deliver(
    opensearch: Any, tmp_path: Path, adopted: bool
) -> None:
    """A collector that OpenSearch refuses is taken away: it ends with 0 within its time, and what
    it has acknowledged is on its volume. It is delivered once when it is scaled out again, and
    when its spool is put beside another collector's."""
    gate = Gate(opensearch.url)
    release = Release(tmp_path, opensearch.cluster, collector_cluster=Cluster(url=gate.url))
    kept, taken_away = release.pods
    try:
        release.start(readers=0)
        gate.rule = refuses_documents
        with Traffic(release.collectors, organization=release.organization, **SENDERS) as traffic:
            traffic.wait_acked(200)
            release.end_collector(1)
            traffic.wait_acked(100)  # the other one takes them
            traffic.stop()
            kept.wait_delivered()
            stored = count_by_id(opensearch.client, traffic.acked, field=KEY_FIELD)
            assert traffic.acked - stored.keys()  # something is at stake
            if adopted:
                release.end_collector(0)
                (taken_away.data_dir / "worker-0").rename(kept.data_dir / "worker-1")
                release.begin_collector(0)
                kept.wait_delivered()
            else:
                gate.rule = lambda request: request.forward()
                release.begin_collector(1)
                taken_away.wait_delivered()
            print(counted(opensearch.client, traffic), release.exits)
        release.stop()
        assert [one for one in release.exits if one[1] != 0] == []
    finally:
        release.close()
        gate.close()


def refuses_documents(request: Request) -> Answer | None:
    """A proxy before OpenSearch that answers 503."""
    return Answer(503) if request.is_bulk else request.forward()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_several_upgrades_in_a_row(own_node: Callable[..., Any], tmp_path: Path) -> None:
    """Three upgrades, each of which rolls the streams over as a changed template does; in the
    second, OpenSearch is stopped before the collectors are replaced and started after it."""
    node = own_node()
    release = Release(tmp_path, node.cluster)
    try:
        release.start()
        with Load(release, tmp_path, node.client, seed=7) as load:
            for number in range(ROUNDS):
                release.hook()
                for stream in STREAMS:
                    node.client.indices.rollover(alias=stream)
                if number == OUTAGE:
                    node.stop()
                else:
                    load.begin_download()
                release.roll_collectors()
                load.traffic.wait_acked(100)
                if number == OUTAGE:
                    node.start()
                release.roll_bus()
                release.roll_sidecars()
                if number != OUTAGE:
                    load.finish_download()
            print(load.finish(), release.exits)
        release.stop()
        assert [one for one in release.exits if one[1] != 0] == []
    finally:
        release.close()
