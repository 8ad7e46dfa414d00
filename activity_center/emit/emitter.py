"""The emitter: the one object that a producing program holds."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from activity_center.emit import context as surroundings
from activity_center.emit.agent import Agent
from activity_center.emit.context import Context, UserSource
from activity_center.emit.controls import source_of
from activity_center.emit.courier import Courier, Stats
from activity_center.emit.declared import Declared, Handler
from activity_center.emit.event import OMITTED, build, nested
from activity_center.emit.over_http import token_source
from activity_center.emit.plain import Plain
from activity_center.emit.process import Process
from activity_center.emit.pulse import Pulse
from activity_center.emit.recorder import no_proof, not_possible, recorder_of, transport_factory
from activity_center.emit.recording import Recording, decorate
from activity_center.emit.transport import parse
from activity_center.errors import ConfigError, NotRecorded

F = TypeVar("F", bound=Callable[..., Any])


class Emitter:
    """Hands activities over without ever making the caller wait, or raising into it.

    One per program. Everything but ``require_record`` only appends to a bounded queue; a
    background thread sends. What could not be kept is counted in :meth:`stats`.

    Args:
        url: ``forward://127.0.0.1:24224`` or ``unix:///path`` (a Fluent Bit or collector on
            this machine), ``https://host:port`` (a collector anywhere, acknowledged), or
            ``http://127.0.0.1:port``.
        organization: the organization's id (or its ECS group) when a call names none.
        service: ``service.name`` of the program.
        origin: ``activity.origin`` when a call names none: ui, api, cli, agent or system.
        token: bearer token for HTTP.
        token_file: a file that holds it, read again for each request.
        ca: PEM file of the authorities to trust instead of the system's.
        record_url: where ``require_record`` posts to when ``url`` is not HTTP.
        controls_url: address of the sidecar, from which processes hear what persons ask of
            them, and agents what is decided; by the same token and authorities.
        queue_size: the most events that wait; further ones are dropped and counted.
        queue_bytes: the most bytes (roughly) that wait.
        require_record: make every :meth:`emit` wait for the collector's "accepted".
        record_timeout: seconds such a call may take in all.
        exit_timeout: seconds that the end of the program may wait for the queue.

    Raises:
        ConfigError: an address where events could be read or lost unnoticed, contradicting
            options, a file that cannot be read. Only the constructor raises it.
    """

    def __init__(
        self,
        url: str = "forward://127.0.0.1:24224",
        *,
        organization: Any = None,
        service: str | None = None,
        origin: str | None = None,
        token: str | None = None,
        token_file: str | Path | None = None,
        ca: str | Path | None = None,
        record_url: str | None = None,
        controls_url: str | None = None,
        queue_size: int = 10_000,
        queue_bytes: int = 64 * 1024 * 1024,
        require_record: bool = False,
        record_timeout: float = 10.0,
        exit_timeout: float = 5.0,
    ) -> None:
        if queue_size < 1 or queue_bytes < 1:
            raise ConfigError("queue_size and queue_bytes must be at least 1", where="Emitter")
        self._address = parse(url)
        source = token_source(token, token_file)
        make = transport_factory(self._address, source, ca)
        self._recorder = recorder_of(self._address, record_url, source, ca, record_timeout)
        if require_record and self._recorder is None:
            raise no_proof()
        self._require_record = require_record
        self.pulse = Pulse()
        owner = None if organization is None else surroundings.identified(organization)
        said = {"organization": owner, "service.name": service, "activity.origin": origin}
        self._defaults = nested({name: value for name, value in said.items() if value is not None})
        self._courier = Courier(
            make, queue_size=queue_size, queue_bytes=queue_bytes, exit_timeout=exit_timeout
        )
        self.controls = source_of(controls_url, source, ca, self._courier.warn)
        # Not at exit: then the courier's own hook sends what waits.
        weakref.finalize(self, self._courier.retire).atexit = False

    def emit(
        self,
        action: str,
        *,
        user: Any = None,
        organization: Any = None,
        resource: Any = None,
        outcome: str | None = None,
        old: Any = OMITTED,
        new: Any = OMITTED,
        reason: str | None = None,
        metadata: Any = None,
        origin: str | None = None,
        timestamp: datetime | float | str | None = None,
        event_id: str | None = None,
        sequence: int | None = None,
        require_record: bool | None = None,
        **fields: Any,
    ) -> str | None:
        """Record that ``action`` was done; return its ``event.id`` (``None`` if dropped).

        Args:
            action: dotted, from the catalogue where it has one: ``server.create``.
            user: the human whose session caused it: id, or the ECS group as a mapping.
            organization: id, or the ECS group.
            resource: ``(type, id)``, ``(type, id, name)``, a mapping of
                ``activity.resource``, or an id alone.
            outcome: ``success``, ``failure`` or ``unknown``.
            old: the state before (update, delete); any value.
            new: the state after (create, update); any value.
            reason: ``event.reason``, for people.
            metadata: anything else.
            origin: ``ui``, ``api``, ``cli``, ``agent`` or ``system``.
            timestamp: when it happened, if not now. Without a zone it is local time.
            event_id: the program's own id; the same id is the same event.
            sequence: ``event.sequence``; by default it grows with each event.
            require_record: wait until the collector has made it durable.
            fields: further fields by name; dotted ones by ``**{"source.ip": ip}``. What the
                vocabulary does not know ends up in ``metadata``.

        Raises:
            NotRecorded: only with ``require_record``: it could not be made durable.
        """
        said = {
            "user": user,
            "organization": organization,
            "resource": resource,
            "outcome": outcome,
            "old": old,
            "new": new,
            "reason": reason,
            "metadata": metadata,
            "origin": origin,
            "timestamp": timestamp,
            "event_id": event_id,
            "sequence": sequence,
            **fields,
        }
        required = self._require_record if require_record is None else require_record
        event, size = self._built(action, said, required)
        if event is None:
            return None
        if required:
            self._record(event)
        elif not self._courier.put(event, size):
            return None
        return str(event["event"]["id"])

    def keep(self, action: str, **said: Any) -> str | None:
        """Record what was done already: with a proof if there can be one, else by the queue.

        Takes the arguments of :meth:`emit`; both ways it is the same event. It waits for the
        proof for ``record_timeout`` at most, and raises nothing.
        """
        event, size = self._built(action, said, required=False)
        if event is None:
            return None
        with suppress(NotRecorded):
            if self._recorder is not None:
                self._recorder.record(event)
                self._courier.count_recorded(True)
                return str(event["event"]["id"])
        return str(event["event"]["id"]) if self._courier.put(event, size) else None

    def _built(
        self, action: str, said: Mapping[str, Any], required: bool
    ) -> tuple[dict[str, Any] | None, int]:
        """Return the event and its rough size in bytes; ``None``: it is counted as lost."""
        try:
            event, run = build(action, said, self.around(), self._courier.sequence())
        except Exception as wrong:
            self._courier.lost_before_queue(f"{type(wrong).__name__} while building an event")
            if required:
                raise NotRecorded("the event could not be built", where=str(action)) from wrong
            return None, 0
        if run.replaced:
            self._courier.count("replaced", len(run.replaced))
        return event, run.size

    def action(self, action: str, **said: Any) -> Recording:
        """Return a context manager that records ``action`` when its block ends.

        Takes the arguments of :meth:`emit`. An error that leaves the block is recorded
        (outcome, type, message, stack) and goes on to the caller::

            with emitter.action("server.resize_disk", resource=("server", "s1"), old=20) as a:
                a.new = resize()
        """
        return Recording(self, action, said)

    def record(self, action: str, **said: Any) -> Callable[[F], F]:
        """Return a decorator that records each call of a function, coroutine or generator.

        Takes the arguments of :meth:`emit`; ``resource``, ``user``, ``organization``,
        ``old`` and ``metadata`` may be functions of the call's arguments, ``new`` one of
        the result::

            @emitter.record("server.create", resource=lambda name: ("server", name))
            def create(name): ...
        """
        return decorate(self, action, said)

    def process(
        self,
        channel: str,
        name: str,
        *,
        target: Any = None,
        steps: Iterable[str] = (),
        controls: Iterable[str] = (),
        effects: Mapping[str, str] | None = None,
        on_cancel: Handler | None = None,
        on_retry: Handler | None = None,
        on_cleanup: Handler | None = None,
        lease: float = 60.0,
        process_id: str | None = None,
        attempt: int = 1,
        **said: Any,
    ) -> Process:
        """Return a context manager that tells a long-running operation step by step.

        Args:
            channel: ``ssl``, ``git-deploy`` ...; ``activity-center processes channels``.
            name: for people: ``Certificate for shop.example``.
            target: what it works on, as ``resource`` of :meth:`emit`.
            steps: names of the steps, in order.
            controls: what persons may ask: ``cancel``, ``retry``, ``cleanup``; those with a
                handler are added.
            effects: control -> what it will do, told before it is done.
            on_cancel: called with the process, in another thread, when somebody asks to
                cancel it: to break off what waits. :meth:`Process.check` then raises.
            on_retry: called with the process after it failed or was cancelled: enters it again.
            on_cleanup: called with the process, to remove what it left; says a receipt.
            lease: seconds of silence after which it counts as stalled; a heartbeat goes every
                third of it.
            process_id: of one's own; attempts of one process have the same.
            attempt: the first one of this program.
            said: further arguments of :meth:`emit`, for each activity of the process.
        """
        user, organization = said.pop("user", None), said.pop("organization", None)
        with self.context(user=user, organization=organization):
            around = self.around()
        declared = Declared.of(
            channel,
            name,
            target=target,
            steps=steps,
            controls=controls,
            effects=effects,
            handlers={"cancel": on_cancel, "retry": on_retry, "cleanup": on_cleanup},
            lease=lease,
            said=said,
        )
        for doubt in declared.doubts:
            self._courier.warn("process", f"process {declared.name!r}: {doubt}")
        return Process(self, around, declared, process_id, attempt)

    def agent(
        self,
        id: str,  # noqa: A002 - as ECS and OpenTelemetry name it
        name: str | None = None,
        *,
        version: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        require_record: bool | None = None,
    ) -> Agent:
        """Return an AI agent, by which its proposals, decisions and executions are told.

        Raises:
            ConfigError: ``require_record``, and no address of this emitter gives a proof.
        """
        required = self._require_record if require_record is None else require_record
        if required and self._recorder is None:
            raise no_proof()
        facts = {"id": str(id), "name": name, "version": version}
        return Agent(self, facts, model, provider, required)

    def context(
        self,
        *,
        user: Any = None,
        organization: Any = None,
        source_ip: str | None = None,
        user_agent: str | None = None,
        request_id: str | None = None,
        trace_id: str | None = None,
        session_id: str | None = None,
        case_id: str | None = None,
        origin: str | None = None,
        user_source: UserSource | None = None,
        **fields: Any,
    ) -> Context:
        """Return a context manager; events within carry what it says.

        Args:
            user_source: called without arguments when an event is made and no user is
                known; returns an id, an ECS group, or ``None``.
            case_id: ``activity.case.id``: joins an agent's proposal, decision, execution.
            fields: further fields, dotted names by ``**{...}``.
        """
        named = {
            "source.ip": source_ip,
            "user_agent.original": user_agent,
            "http.request.id": request_id,
            "trace.id": trace_id,
            "session.id": session_id,
            "activity.case.id": case_id,
            "activity.origin": origin,
        }
        given = {name: value for name, value in named.items() if value is not None}
        inner = nested({**fields, **given})
        if user is not None:
            inner["user"] = surroundings.person(user)
        if organization is not None:
            inner["organization"] = surroundings.identified(organization)
        return Context(inner, user_source)

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until everything emitted before is sent; ``False`` if time ran out."""
        return self._courier.flush(timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Flush and stop; what is left is counted as dropped. ``True`` if nothing was left.

        Events emitted afterwards are dropped and counted; nobody hears of controls any more.
        """
        if self.controls is not None:
            self.controls.close()
        if self._recorder is not None:
            self._recorder.close()
        return self._courier.close(timeout)

    def stats(self) -> Stats:
        """Return what became of the events so far."""
        return self._courier.stats()

    def snapshot(self, value: Any) -> Any:
        """Return ``value`` as plain data of this moment; never raises."""
        run = Plain()
        result = run.copy(value)
        self._courier.count("replaced", len(run.replaced))
        return result

    def guarded(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function that the caller gave us; an error of it is counted, not raised."""
        try:
            return function(*args, **kwargs)
        except Exception as wrong:
            self._courier.count("errors")
            self._courier.warn("callback", f"{type(wrong).__name__} in {function!r}")
            return None

    def _record(self, event: dict[str, Any]) -> None:
        recorded = False
        try:
            if self._recorder is None:
                raise not_possible()
            self._recorder.record(event)
            recorded = True
        finally:
            self._courier.count_recorded(recorded)

    def around(self) -> surroundings.Fields:
        """Return what surrounds an action here: defaults of the emitter, and context."""
        try:
            inner = surroundings.current()
        except Exception as wrong:
            self._courier.count("errors")
            self._courier.warn("callback", f"{type(wrong).__name__} in the user source")
            inner = surroundings.current_without_user_source()
        return surroundings.merge(self._defaults, inner)

    def __enter__(self) -> Emitter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Emitter {self._address} {self.stats().as_dict()}>"
