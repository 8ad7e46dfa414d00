"""One Forward connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from activity_center.errors import ProtocolError, SpoolFailed, SpoolFull
from activity_center.tls import peer_certificate
from collector.decode import Framer, Unreadable, decode_message
from collector.receive.address import spell
from collector.receive.forward.handshake import AuthenticationError, Handshake, refusal
from collector.receive.forward.in_flight import AckQueue, InFlight
from collector.receive.forward.pace import Pace
from collector.receive.forward.reports import Reports
from collector.receive.forward.wire import foreign
from collector.records import Sender

if TYPE_CHECKING:
    from collector.receive.forward.server import ForwardServer

_WEIGHT: Final = 8
"""Least memory per byte of a message, while it waits for its turn to be durable."""


class ForwardConnection(asyncio.BufferedProtocol):
    """Reads messages, has them kept several at a time, acknowledges in the order received.

    Args:
        server: whose connection it is.
    """

    def __init__(self, server: ForwardServer) -> None:
        self.server = server
        self.counters = server.counters
        self.limits = server.connection_limits
        self.peer = ""
        self.reports = Reports(server.address, "")
        self.sender: Sender | None = None
        self.last_active = server.now()
        self._framer = Framer(server.limits)
        self._transport: asyncio.Transport | None = None
        self._handshake: Handshake | None = None
        self._in_flight = AckQueue()
        self._pace = Pace(server.connection_limits)
        self._first = b""  # the first bytes, to tell other protocols apart
        self._held = 0  # messages that wait for room in the spool
        self._waiting_for_budget = False
        self._write_blocked = False
        self._reading = True
        self._tls = False
        self._no_more = False  # nothing more will be read
        self._peer_done = False  # because the peer said so
        self._drained = False  # and all that was read has been taken
        self._ending = False  # nothing more will be taken
        self._end_by: float | None = None  # aborted then, if the peer does not read

    # -- asyncio.BufferedProtocol ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Find the sender, or begin the handshake."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - create_server gives it
        self._transport = transport
        self.peer = spell(transport.get_extra_info("peername"))
        self.reports = Reports(self.server.address, self.peer)
        if not self.server.admit(self):
            transport.abort()
            return
        listener = self.server.listener
        sender = self.server.credentials.by_name(listener.sender)
        tls = transport.get_extra_info("ssl_object")
        self._tls = tls is not None
        certificate = peer_certificate(tls)
        if certificate is not None:
            sender = self.server.credentials.by_certificate(certificate) or sender
        if listener.shared_key:
            self._handshake = Handshake(
                listener.shared_key, listener.hostname, self.server.credentials, sender
            )
            self._pace.begin(self.server.now())
            transport.write(self._handshake.helo())
        elif sender is None:
            self._refuse_peer(
                AuthenticationError(
                    "no sender has this client certificate",
                    hint="put its SHA-256 under certificate_sha256 of a sender",
                )
            )
        else:
            self._let_in(sender)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return what to read into: all connections share it, for it is emptied at once.

        A buffer that asyncio makes for each read costs more than reading.
        """
        return self.server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes and do what is whole."""
        data = bytes(self.server.buffer[:nbytes])
        self.counters.bytes += nbytes
        if self._ending:
            return
        if len(self._first) < 8:
            self._first += data[:8]
        self._pace.add(len(data), self.server.now())
        try:
            self._framer.feed(data)
        except Unreadable as refused:
            self._break(refused, b"")
            return
        self._pump()

    def eof_received(self) -> bool:
        """Let what has arrived be kept and acknowledged before the connection closes."""
        self._no_more = self._peer_done = True
        self._pump()
        return not self._tls  # a half-closed TLS connection cannot be written to

    def connection_lost(self, exc: Exception | None) -> None:
        """Go on with what has arrived; only a sender with acks repeats it."""
        self._transport = None
        self._no_more = self._peer_done = True
        self._pump()
        self._forget_if_done()

    def pause_writing(self) -> None:
        """Stop taking messages from a sender that does not read its acks."""
        self._write_blocked = True
        self._set_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._write_blocked = False
        self._pump()

    # -- reading ---------------------------------------------------------------------

    def _pump(self) -> None:
        """Take whole messages while there is room for them."""
        budget = self.server.budget
        message: bytes | None = None
        try:
            while not self._must_wait():
                if self._handshake is None and not budget.has_room():
                    self._waiting_for_budget = True
                    budget.wait(self._on_room)
                    break
                message = None
                message = self._framer.next()
                if message is None:
                    self._unfinished()
                    break
                self.last_active = self.server.now()
                self._pace.begin(self.last_active)
                if self._handshake is not None:
                    self._shake(self._handshake, message)
                else:
                    self._take(message)
        except ProtocolError as wrong:
            self._break(wrong, message or b"")
        except Exception as wrong:
            self.reports.crashed(wrong)
            self.end()
        self._close_if_done()
        self._set_reading()

    def _must_wait(self) -> bool:
        return (
            self._ending
            or self._drained
            or self._held > 0
            or self._waiting_for_budget
            or self._write_blocked
            or len(self._in_flight) >= self.limits.in_flight
        )

    def _on_room(self) -> None:
        self._waiting_for_budget = False
        self._pump()

    def _unfinished(self) -> None:
        """Note that the rest of a message is due, or nothing."""
        if self._no_more:
            self._drained = True
            if self._framer.buffered and self._peer_done:
                self.counters.truncated += 1
                self.reports.truncated(self._framer.buffered)
        elif self._framer.buffered == 0:
            if self._handshake is None:
                self._pace.clear()
        elif self._framer.buffered > 4096:
            self.server.check_buffers()

    def _set_reading(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        wanted = not self._no_more and not self._must_wait()
        if wanted == self._reading:
            return
        self._reading = wanted
        if wanted:
            self._pace.go(self.server.now())
            transport.resume_reading()
        else:
            self._pace.stand()
            transport.pause_reading()

    @property
    def buffered(self) -> int:
        """Bytes of a message that is not whole yet."""
        return self._framer.buffered

    def age(self, now: float) -> float:
        """Seconds since the unfinished message began; 0 where none is, or we do not read."""
        return self._pace.age(now)

    @property
    def is_shaking(self) -> bool:
        """Whether the handshake is not over."""
        return self._handshake is not None

    def is_idle(self) -> bool:
        """Whether nothing is going on."""
        return not self._in_flight and self._framer.buffered == 0 and self._handshake is None

    def check_time(self, now: float) -> None:
        """Close the connection if it is too slow."""
        if self._end_by is not None and now > self._end_by:
            self.abort()
        if self._ending:
            return
        allowed = self._pace.overdue(now, self._handshake is not None)
        if allowed is None:
            return
        what = "a message" if self._handshake is None else "the handshake"
        self.counters.timeouts += 1
        self.reports.too_slow(what, allowed)
        self.end()

    # -- messages --------------------------------------------------------------------

    def _shake(self, handshake: Handshake, message: bytes) -> None:
        try:
            sender, pong = handshake.answer(message)
        except AuthenticationError as refused:
            self._refuse_peer(refused)
            return
        if self._let_in(sender):
            self._handshake = None
            self._write(pong)

    def _let_in(self, sender: Sender) -> bool:
        """Note who sends, unless that sender has connections enough."""
        self.reports.sender = sender.name
        if not self.server.admit_sender(self, sender):
            if self._handshake is not None:
                self._write(refusal("too many connections of this sender"))
            self.end()
            return False
        self.sender = sender
        return True

    def _take(self, raw: bytes) -> None:
        """Decode a message and start to keep it."""
        sender = self.sender
        if sender is None:
            return
        message = decode_message(raw, self.server.limits)
        counters = self.counters
        if message is None:
            return  # a heartbeat
        counters.chunks += 1
        decoded = message.decoded
        counters.records += len(decoded.records)
        counters.broken_records += len(decoded.broken)
        if message.refused is not None or decoded.broken:
            counters.refused_chunks += message.refused is not None
            self.reports.chunk(message)
        weight = max(decoded.weight, _WEIGHT * len(raw))
        one = InFlight(self, message.chunk, weight)
        self._in_flight.add(one)
        self.server.budget.take(weight)
        self.server.keeper.start(sender, raw, message, one)

    def over(self, one: InFlight, wrong: BaseException | None) -> None:
        """A message is kept, or it never will be: then the connection ends, too."""
        if isinstance(wrong, SpoolFailed):
            self.reports.spool_failed(wrong)
            self.end()
        elif isinstance(wrong, Exception):
            self.reports.crashed(wrong)
            self.end()
        elif not one.durable:  # the sender must be set up differently
            self._ending = True
        self._settle(one)

    def _settle(self, one: InFlight) -> None:
        """Acknowledge what is durable, in the order received."""
        self.server.budget.give(one.weight)
        acks, number = self._in_flight.settle(one)
        self.counters.acks += number
        if acks:
            self._write(acks)
        self._pump()

    def hold(self, full: SpoolFull) -> None:
        """Stop reading while the spool has no room for this sender."""
        if not self._held:
            self.reports.must_wait(full)
        self._held += 1
        self._set_reading()

    def release(self) -> None:
        """Go on reading, unless another message waits."""
        self._held -= 1
        self._pump()

    # -- ending ----------------------------------------------------------------------

    def _break(self, wrong: ProtocolError, message: bytes) -> None:
        """The bytes make no sense: keep them, say so, close."""
        self.counters.protocol_errors += 1
        rest = message + self._framer.rest()
        detail, hint = wrong.message, wrong.hint
        if self._framer.taken == len(message):
            detail, hint = foreign(self._first) or (detail, hint)
        self.reports.not_understood(detail, hint)
        self._ending = True
        # Whoever has not shown who it is does not get to fill our disk.
        if self.sender is not None and rest:
            one = InFlight(self, None, len(rest))
            self._in_flight.add(one)
            self.server.budget.take(one.weight)
            words = detail if ": " in detail else f"undecodable: {detail}"
            self.server.keeper.start_rejecting(self.sender, rest, words, one)
        self._close_if_done()

    def _refuse_peer(self, refused: AuthenticationError) -> None:
        self.counters.auth_failures += 1
        self.reports.refused(refused)
        if self._handshake is not None:
            self._write(refusal(refused.message))
        self.end()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _close_if_done(self) -> None:
        if self._in_flight or not (self._ending or self._drained):
            return
        if self._transport is not None:
            self._close(self._transport)
        self._forget_if_done()

    def _forget_if_done(self) -> None:
        if self._transport is None and not self._in_flight and (self._ending or self._drained):
            self.server.forget(self)

    def end(self) -> None:
        """Close now; what is written already still goes out."""
        self._ending = True
        if self._transport is not None:
            self._close(self._transport)

    def _close(self, transport: asyncio.Transport) -> None:
        if self._end_by is None:
            self._end_by = self.server.now() + self.limits.handshake_timeout
        transport.close()

    @property
    def is_busy(self) -> bool:
        """Whether something that was read is not settled yet."""
        return bool(self._in_flight) or not (self._ending or self._drained)

    def finish(self) -> None:
        """Read nothing more; close when what was read is kept and acknowledged."""
        self._no_more = True
        self._pump()

    def abort(self) -> None:
        """Close now, whatever is in flight."""
        self._ending = True
        if self._transport is not None:
            self._transport.abort()
        self._forget_if_done()
