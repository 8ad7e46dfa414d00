"""The account of maintenance writes expiries with its own role, and no administrator's."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace

from activity_center import node
from activity_center.connection import connect
from activity_center.setup import desired_state, install
from activity_center.setup.cluster import ask
from activity_center.setup.lease import Lease
from activity_center.streams import STATE_INDEX
from collector.expiry.loop import LEASE, once
from collector.expiry.record import Recorder
from tests.collector.expiry.parts import NOW, POLICIES, SECOND, STREAMS, Place, entry


def test_the_role_of_maintenance_suffices() -> None:
    """Take the lease, find what is overdue, write it, keep the cursor: by the role alone."""
    name = f"expiry-secure-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    info = node.start(name, fast=True, secure=True)
    try:
        admin = connect(info.cluster)
        install(admin, replace(desired_state(), streams=STREAMS))
        password = secrets.token_urlsafe(24)
        api = "/_plugins/_security/api"
        ask(admin, "PUT", f"{api}/internalusers/keeper", body={"password": password})
        users = {"users": ["keeper"]}
        ask(admin, "PUT", f"{api}/rolesmapping/activity-center-maintain", body=users)
        place = Place(info.url, admin)
        place.record(entry("proposed", NOW - 1800 * SECOND, expires=NOW - 61 * SECOND))
        keeper = connect(replace(info.cluster, username="keeper", password=password))
        with Lease(keeper, LEASE, index=STATE_INDEX, wait=30) as lease:
            assert once(keeper, Recorder(keeper), POLICIES, NOW, lease) == 1
            assert once(keeper, Recorder(keeper), POLICIES, NOW + SECOND, lease) == 0
        assert len(place.expired()) == 1
        keeper.close()
        admin.close()
    finally:
        node.wipe(name)
