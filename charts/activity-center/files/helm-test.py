"""Send an activity to the collector and read it back from the sidecar, as its actor."""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

PATIENCE = 120
"""Seconds for an activity to get from the collector into a search."""


def ask(part, path, body=None):
    """Return the answer of ``COLLECTOR`` or ``SIDECAR`` as an object."""
    token = Path(os.environ["TOKEN_FILE"]).read_text("ascii").strip()
    headers = {"Authorization": f"Bearer {token}"}
    data = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    request = urllib.request.Request(os.environ[part] + path, data, headers)
    tls = ssl.create_default_context(cafile=os.environ[f"{part}_CA"])
    with urllib.request.urlopen(request, timeout=20, context=tls) as answer:
        return json.load(answer)


def main():
    """Return 0 when the activity came back, else 1."""
    name = f"helm-test-{uuid.uuid4()}"
    activity = {
        "event.action": "server.create",
        "event.outcome": "success",
        "organization.id": "helm_test",
        "user.id": "helm_test",
        "activity.resource.type": "server",
        "activity.resource.name": name,
    }
    until = time.monotonic() + PATIENCE
    sent, problem = False, "no answer"
    while time.monotonic() < until:
        try:
            if not sent:
                told = ask("COLLECTOR", "/v1/activities?source=native", activity)
                if told.get("accepted") != 1:
                    print(f"the collector did not accept the activity: {told}", file=sys.stderr)
                    return 1
                sent = True
                print(f"The collector accepted the activity of {name}.")
            if name in json.dumps(ask("SIDECAR", "/api/v1/activities?size=50")):
                print("The sidecar shows it to its actor: all is well.")
                return 0
            problem = "the activity is not among those that the sidecar shows"
        except (OSError, ValueError) as wrong:
            problem = f"{type(wrong).__name__}: {wrong}"
        time.sleep(2)
    print(f"{'Not read back' if sent else 'Not sent'}: {problem}", file=sys.stderr)
    print("Next: the logs of the collector, and activity-center doctor.", file=sys.stderr)
    return 1


sys.exit(main())
