"""Long-running operations over the eight channels, step by step; some fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from activity_center.demo.workload.cast import Person
from activity_center.demo.workload.dice import Dice
from activity_center.demo.workload.event import Event
from activity_center.demo.workload.world import World, native

IN_CLOUD: Final = frozenset({"server-provisioning", "backup-restore", "cloud-transfer"})
"""Channels whose operations are done in an account at a cloud provider."""
LEASE: Final = timedelta(minutes=2)
"""Longer than any step: what the end of the demo cuts off counts as stalled after it."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A kind of operation.

    Attributes:
        action: what the audit trail says once it is done.
        resource: (type, id prefix) of what it works on.
        errors: (step index, error type, message): how it can fail.
        at: kinds of organizations that run it.
    """

    name: str
    title: str
    action: str
    resource: tuple[str, str]
    names: tuple[str, ...]
    steps: tuple[str, ...]
    errors: tuple[tuple[int, str, str], ...]
    at: tuple[str, ...] = ("saas", "agency", "enterprise")


CHANNELS: Final = (
    Channel(
        "server-provisioning",
        "Provision {}",
        "server.create",
        ("server", "srv"),
        ("web-prod-03", "worker-02", "api-prod-4"),
        (
            "Connect to cloud provider",
            "Create compute instance",
            "Configure SSH access",
            "Install agent",
            "Run health check",
        ),
        (
            (1, "QuotaExceeded", "server limit reached: 10 of 10 in project 4471"),
            (2, "Timeout", "ssh: connect to host 10.0.3.17 port 22: Connection timed out"),
            (4, "HealthCheckFailed", "GET /healthz answered 502 five times in 60 s"),
        ),
    ),
    Channel(
        "backup-restore",
        "Back up {}",
        "backup.create",
        ("backup", "bkp"),
        ("shop_prod", "wordpress_oak", "fleet"),
        ("Prepare snapshot", "Dump databases", "Pack files", "Verify checksums"),
        ((1, "DumpFailed", "pg_dump: error: connection to server was lost"),),
    ),
    Channel(
        "site-setup",
        "Set up {}",
        "site.create",
        ("site", "sit"),
        ("bakery.example", "gallery.example", "clinic.example"),
        ("Create user", "Write virtual host", "Create database", "Install application"),
        ((3, "InstallFailed", "composer install: exit code 2: memory exhausted"),),
        at=("agency",),
    ),
    Channel(
        "ssl",
        "Issue certificate for {}",
        "ssl.issue",
        ("certificate", "crt"),
        ("bakery.example", "api.shop.example"),
        ("Check DNS", "Order certificate", "Answer challenge", "Install certificate"),
        (
            (
                2,
                "urn:ietf:params:acme:error:connection",
                "Fetching http://bakery.example/.well-known/acme-challenge: Connection refused",
            ),
        ),
        at=("agency", "saas"),
    ),
    Channel(
        "git-deploy",
        "Deploy {}",
        "deploy.git",
        ("deployment", "dep"),
        ("portal main@4f2c91a", "checkout main@b77e03d", "fleet main@09ac11e"),
        ("Fetch revision", "Install dependencies", "Build", "Migrate database", "Switch over"),
        (
            (2, "BuildFailed", "src/cart.ts(41,7): error TS2322: type null is not assignable"),
            (3, "MigrationFailed", "relation orders already has a column named total"),
        ),
    ),
    Channel(
        "docker-app-deploy",
        "Deploy container {}",
        "deploy.docker",
        ("deployment", "dep"),
        ("registry.example/portal:108", "registry.example/checkout:41"),
        ("Pull image", "Stop old container", "Start new container", "Probe"),
        ((0, "PullFailed", "manifest for registry.example/portal:108 not found"),),
    ),
    Channel(
        "cloud-transfer",
        "Upload {}",
        "cloud.upload",
        ("transfer", "trf"),
        ("backups-2026-w46.tar.zst", "media-archive.tar"),
        ("Open session", "Send parts", "Complete upload"),
        ((1, "AccessDenied", "403 AccessDenied on part 17 of 44"),),
    ),
    Channel(
        "pqc-activation",
        "Activate post-quantum cryptography on {}",
        "pqc.activate",
        ("server", "srv"),
        ("web-prod-01", "db-prod-01"),
        ("Check OpenSSL version", "Install provider", "Reload services", "Probe handshake"),
        ((3, "HandshakeFailed", "client offered no hybrid group X25519MLKEM768"),),
    ),
    Channel(
        "migration",
        "Move {} to a new host",
        "migration.run",
        ("migration", "mig"),
        ("oak-dental.example", "gallery.example"),
        ("Copy files", "Copy database", "Compare", "Switch DNS"),
        ((2, "Mismatch", "3 of 18211 files differ from the source"),),
        at=("agency",),
    ),
)
"""The eight channels of the live feed, and migrations."""


@dataclass(slots=True)
class Run:
    """One operation while it runs; makes its events in order."""

    world: World
    dice: Dice
    channel: Channel
    person: Person
    when: datetime
    id: str = ""
    name: str = ""
    resource: dict[str, Any] = field(default_factory=dict)
    attempt: int = 1
    sequence: int = 0
    events: list[Event] = field(default_factory=list)
    since: dict[str, datetime] = field(default_factory=dict)

    def add(self, action: str, state: str, **parts: Any) -> None:
        """Add one activity, complete in itself."""
        steps = self.channel.steps
        process = {
            "id": self.id,
            "name": self.name,
            "channel": self.channel.name,
            "attempt": self.attempt,
            "state": state,
            "steps": list(steps),
            "controls": {"running": ["cancel"], "failed": ["retry", "cleanup"]}.get(state, []),
        }
        if state in ("pending", "running"):
            process["lease"] = (self.when + LEASE).isoformat(timespec="milliseconds")
        activity: dict[str, Any] = {"process": process, "resource": self.resource}
        activity["origin"] = "system"
        step = parts.pop("step", None)
        if step is not None:
            index, step_state = step
            activity["step"] = {
                "id": f"step-{index + 1}",
                "name": steps[index],
                "index": index,
                "state": step_state,
            }
            done = index + (step_state == "done")
            process["progress"] = round(done / len(steps), 2)
        if self.channel.name in IN_CLOUD:
            owner = self.world.organization
            account = {"id": f"acc_{owner.id}", "name": f"{owner.name} production"}
            parts["cloud"] = {"account": account, "provider": "example-cloud"}
        activity |= parts.pop("activity", {})
        event: dict[str, Any] = {"sequence": self.sequence, **parts.pop("event", {})}
        subject, _, word = action.rpartition(".")
        if word == "started":
            self.since[subject] = self.when
        elif word in ("completed", "failed", "cancelled"):  # as the emitter: of this attempt
            event["duration"] = _nanoseconds(self.when - self.since[subject])
        self.events.append(
            native(
                self.dice,
                self.when,
                self.world.organization,
                action,
                self.person,
                activity=activity,
                event=event,
                **parts,
            )
        )
        self.sequence += 1

    def wait(self, low: int, high: int) -> None:
        """Let some seconds go by."""
        self.when += timedelta(milliseconds=self.dice.between(low * 1000, high * 1000))


def operation(
    world: World, dice: Dice, when: datetime, person: Person, *, channel: Channel | None = None
) -> list[Event]:
    """Return all events of one operation, with what a person does when it fails."""
    here = [one for one in CHANNELS if world.organization.kind in one.at]
    channel = channel or dice.pick(here)
    name = dice.pick(channel.names)
    run = Run(world, dice, channel, person, when)
    run.id = f"prc_{dice.hex(8)}"
    run.name = channel.title.format(name)
    kind, prefix = channel.resource
    run.resource = {"type": kind, "id": f"{prefix}_{dice.hex(6)}", "name": name}
    failed = _attempt(run, fails=dice.chance(22))
    if failed and dice.chance(70):
        run.wait(60, 900)
        _control(run, "process.retry")
        run.attempt += 1
        run.add("process.retried", "pending")
        failed = _attempt(run, fails=dice.chance(20))
    if failed and dice.chance(60):
        run.wait(30, 400)
        _control(run, "process.cleanup")
        run.add("process.cleaned_up", "failed")
    activity: dict[str, Any] = {"origin": "ui", "resource": run.resource}
    activity["process"] = {"id": run.id}
    if failed:
        activity["result"] = "failed"
    elif channel.action.endswith("create"):
        activity["new_value"] = {"name": name, "attempts": run.attempt}
    run.events.append(
        native(
            dice,
            run.when + timedelta(milliseconds=30),
            world.organization,
            channel.action,
            person,
            activity=activity,
            outcome="failure" if failed else "success",
        )
    )
    if not failed and channel.name == "backup-restore" and dice.chance(50):
        run.events.append(_offsite(run))
    return run.events


def _attempt(run: Run, *, fails: bool) -> bool:
    """Run the steps; return whether one of them failed."""
    wrong = run.dice.pick(run.channel.errors) if fails else (-1, "", "")
    cancelled = not fails and run.dice.chance(6)
    run.add("process.started", "running")
    offset = 0
    for index, step in enumerate(run.channel.steps):
        run.wait(0, 2)
        run.add("process.step.started", "running", step=(index, "running"))
        run.wait(1, 40)
        if run.dice.chance(18):
            offset = _output(run, index, f"{step.lower()} ...\n{run.dice.hex(7)} ok\n", offset)
        if cancelled and index == 1:
            _control(run, "process.cancel")
            run.add("process.step.cancelled", "cancelled", step=(index, "cancelled"))
            run.add("process.cancelled", "cancelled")
            return True
        if index == wrong[0]:
            error = {"type": wrong[1], "message": wrong[2]}
            error["stack_trace"] = f"step {step!r}\n  at runner.execute (runner.go:212)\n{wrong[2]}"
            _output(run, index, f"error: {wrong[2]}\n", offset, stream="stderr")
            parts: dict[str, Any] = {"outcome": "failure", "error": error}
            run.add("process.step.failed", "failed", step=(index, "failed"), **parts)
            run.add("process.failed", "failed", **parts)
            return True
        run.add("process.step.completed", "running", step=(index, "done"))
    run.add("process.completed", "done")
    return False


def _output(run: Run, index: int, text: str, offset: int, stream: str = "stdout") -> int:
    output = {"stream": stream, "offset": offset, "text": text}
    run.add("process.output", "running", step=(index, "running"), activity={"output": output})
    return offset + len(text)


def _nanoseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000


def _control(run: Run, action: str) -> None:
    """A person steps in: an entry of the audit trail."""
    resource = {"type": "process", "id": run.id, "name": run.name}
    activity = {"origin": "ui", "resource": resource, "process": {"id": run.id}}
    run.events.append(
        native(run.dice, run.when, run.world.organization, action, run.person, activity=activity)
    )
    run.wait(0, 2)


def _offsite(run: Run) -> Event:
    return native(
        run.dice,
        run.when + timedelta(seconds=run.dice.between(30, 600)),
        run.world.organization,
        "backup.offsite_uploaded",
        None,
        activity={"origin": "system", "resource": run.resource},
        metadata={"bucket": "offsite-eu", "size_mb": run.dice.between(80, 4000)},
    )
