"""The whole way: an event sent to a collector becomes an alert at a webhook."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

from activity_center.config import Cluster, load
from collector.alerts.own_figures import own_figures
from tests.collector.alerts.parts import Place, Receiver
from tests.integration.process import TOKEN, Collector, until


def test_an_event_becomes_an_alert(place: Place, receiver: Receiver, tmp_path: Path) -> None:
    """What a sender delivers fires within the collector, is told, and stands in the record."""
    collector = Collector(tmp_path, Cluster(place.url))
    collector.environment |= {"HOOK": receiver.address, "KEY": "k" * 24}
    hook = {"name": "hook", "webhook": "${HOOK}", "secret": "${KEY}"}
    collector.document["alerts"] = {"enabled": True, "webhooks": [hook]}
    with collector:
        collector.start()
        # In the minute before: the window of this minute ends after it.
        when = datetime.now(UTC) - timedelta(minutes=1)
        event = {
            "@timestamp": when.isoformat(),
            "event": {"id": "emergency-1", "action": "user.break_glass", "outcome": "success"},
            "user": {"id": "usr_root", "name": "root"},
        }
        request = urllib.request.Request(
            f"{collector.url}/v1/activities",
            data=json.dumps(event).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
        until(lambda: receiver.got, 150, "no alert was told")
        figures = own_figures(load(collector.config, collector.environment))
        assert figures.keys() == {"backlog_seconds", "spool_percent"}
        assert 0 <= figures["spool_percent"] < 100
        assert collector.terminate() == 0
    (alert,) = place.alerts()
    assert (alert["rule"]["id"], alert["alert"]["told"]) == ("break-glass", ["hook"])
    assert receiver.address not in collector.log.read_text()
