"""How long a channel's webhook is told of a control."""

from __future__ import annotations

import pytest

from activity_center.config_processes import Webhook
from sidecar_api.processes.controls import Asked, ask
from sidecar_api.processes.webhooks import Messenger
from tests.collector.alerts.parts import Receiver
from tests.integration.process import until
from tests.sidecar_api.processes.test_controls import NOW, process


@pytest.mark.parametrize(("takes", "posts"), [(58.0, 2), (59.6, 1), (61.0, 1)], ids=str)
def test_after_its_minute_a_control_is_not_posted_again(takes: float, posts: int) -> None:
    """A further try that would come after the 60 seconds in which the control is valid is not
    made, and its place is free for others; one within them is made."""
    failing, other = Receiver(), Receiver()
    failing.answers = [500] * 10
    hooks = {"ssl": Webhook(failing.address, "key"), "dns": Webhook(other.address, "key")}
    # To this clock every post takes so long; the pauses before another try are real.
    messenger = Messenger(hooks, clock=lambda: 1e9 + takes * len(failing.got), at_once=1)
    try:
        row, wrong = ask(
            process(),
            "cancel",
            id_="ctl_1",
            by={},
            reason="",
            asked=Asked(),
            messenger=messenger,
            record=lambda _: None,
            latest=list,
            now=NOW,
        )
        assert not wrong

        def free() -> bool:
            messenger.tell(process() | {"channel": "dns"}, row, 60.0, lambda: False)
            return bool(other.got)

        until(free, timeout=20, why="it is still tried")
        assert len(failing.got) == posts
    finally:
        failing.close()
        other.close()
