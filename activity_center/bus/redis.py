"""The bus of several machines: a Redis Stream (Valkey alike) for each collector process.

::

    activity-center:steps                    hash: stream -> epoch
    activity-center:steps:alive              sorted set: stream -> Unix time of its last touch
    activity-center:steps:<stream>:<epoch>   stream: id <position>-1, fields p (position before), b

What Redis lost shows in its last id: the writer compares it in the same step as it adds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from activity_center.bus import Gap, Place, Published
from activity_center.bus.chain import begin_at, chained
from activity_center.config_processes import BusConfig
from activity_center.errors import BusUnavailable, ConfigError

if TYPE_CHECKING:
    from redis import Redis

REGISTRY: Final = "activity-center:steps"
ALIVE: Final = f"{REGISTRY}:alive"
DEAD_SECONDS: Final = 7 * 24 * 3600
ANSWER_ENTRIES: Final = 100
"""Of a stream in one answer."""
_CONNECT_SECONDS: Final = 3.0
_ANSWER_SECONDS: Final = 5.0
_REGISTRY_SECONDS: Final = 0.5
"""After so long a reader looks for new streams and epochs."""
_PACE_SECONDS: Final = 0.01
"""So soon after an answer it is not asked again: while much happens one answer holds several
entries, and what comes alone still comes at once."""
_SLACK: Final = 16
"""A sixteenth of the kept bytes comes between two looks at what the stream takes."""
_FULL: Final = "command not allowed when used memory"
"""In the error of a Redis at its maxmemory; 6.2 wraps it into the script's."""
_PUBLISH: Final = """
local epoch = redis.call('HGET', KEYS[1], ARGV[1])
if epoch ~= ARGV[2] then return {epoch or '', 0} end
local last = 0
if redis.call('EXISTS', KEYS[2]) == 1 then
  local told = redis.call('XINFO', 'STREAM', KEYS[2])
  for i = 1, #told, 2 do
    if told[i] == 'last-generated-id' then last = tonumber(string.match(told[i + 1], '^%d+')) end
  end
end
if last < tonumber(ARGV[3]) then return {epoch, last} end
for i = 5, #ARGV, 2 do
  local position = tonumber(ARGV[i])
  if position > last then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], ARGV[i] .. '-1',
               'p', string.format('%.0f', last), 'b', ARGV[i + 1])
    last = position
  end
end
return {epoch, last}
"""


class RedisWriter:
    """See :class:`activity_center.bus.Writer`.

    Args:
        config: of the bus.
        stream: its name.
    """

    def __init__(self, config: BusConfig, stream: str) -> None:
        self._client = _client(config)
        self._where = config.url
        self._stream = stream
        self._keep = config.keep_entries
        self._keep_bytes = config.keep_bytes
        self._unmeasured = config.keep_bytes
        self._script = self._client.register_script(_PUBLISH)

    def state(self) -> Place:
        """See :meth:`activity_center.bus.Writer.state`."""
        with _asking(self._where):
            epoch = _text(self._client.hget(REGISTRY, self._stream))
            newest: Any = self._client.xrevrange(_key(self._stream, epoch), count=1)
            return epoch, _position(newest[0][0]) if newest else 0

    def begin(self, epoch: str) -> None:
        """See :meth:`activity_center.bus.Writer.begin`."""
        with _asking(self._where):
            former = _text(self._client.hget(REGISTRY, self._stream))
            # First the room: a full Redis takes no new epoch, but lets go of entries.
            self._client.delete(_key(self._stream, former))
            self._client.hset(REGISTRY, self._stream, epoch)
        self.touch()

    def publish(self, after: Place, entries: Sequence[tuple[int, bytes]]) -> Place:
        """See :meth:`activity_center.bus.Writer.publish`."""
        arguments: list[str | int | bytes] = [self._stream, *after, self._keep]
        for entry in entries:
            arguments += entry
        with _asking(self._where):
            keys = [REGISTRY, _key(self._stream, after[0])]
            epoch, last = self._added(keys, arguments)
            self._unmeasured += sum(len(body) for _, body in entries)
            if self._unmeasured >= self._keep_bytes // _SLACK:
                self._trim(keys[1])
            return _text(epoch), int(last)

    def touch(self) -> None:
        """See :meth:`activity_center.bus.Writer.touch`."""
        now = time.time()
        with _asking(self._where):
            self._client.zadd(ALIVE, {self._stream: now})
            dead: Any = self._client.zrangebyscore(ALIVE, "-inf", now - DEAD_SECONDS)
            for stream in map(_text, dead):
                epoch = _text(self._client.hget(REGISTRY, stream))
                self._client.delete(_key(stream, epoch))
                self._client.hdel(REGISTRY, stream)
                self._client.zrem(ALIVE, stream)

    def close(self) -> None:
        """See :meth:`activity_center.bus.Writer.close`."""
        self._client.close()

    def _added(self, keys: Sequence[str], arguments: Sequence[str | int | bytes]) -> Any:
        """Run the script; a full Redis, which makes no room by itself, gets half of ours back."""
        from redis.exceptions import ResponseError

        try:
            return self._script(keys=keys, args=arguments)
        except ResponseError as wrong:
            if _FULL not in str(wrong):
                raise
        length: Any = self._client.xlen(keys[1])
        # The newest one stays: its id says how far we have come.
        self._client.xtrim(keys[1], maxlen=max(1, length // 2), approximate=False)
        return self._script(keys=keys, args=arguments)

    def _trim(self, key: str) -> None:
        """Keep the stream within its bytes: of that many entries the newest share stays."""
        used: Any = self._client.memory_usage(key) or 0
        if used > self._keep_bytes:
            length: Any = self._client.xlen(key)
            share = self._keep_bytes / used * (1 - 1 / _SLACK)
            self._client.xtrim(key, maxlen=max(1, int(length * share)), approximate=True)
        self._unmeasured = 0


class RedisReader:
    """See :class:`activity_center.bus.Reader`."""

    trouble: BusUnavailable | None = None  # one server has all streams

    def __init__(self, config: BusConfig) -> None:
        self._client = _client(config)
        self._where = config.url
        self._epochs: dict[str, str] = {}
        self._looked = float("-inf")
        self._answered = float("-inf")

    def read(self, after: Mapping[str, Place], wait: float) -> list[Published | Gap]:
        """See :meth:`activity_center.bus.Reader.read`."""
        until = time.monotonic() + wait
        early = self._answered + _PACE_SECONDS - time.monotonic()
        if early > 0:
            time.sleep(min(early, wait))
        with _asking(self._where):
            while True:
                epochs = self._look()
                left = max(0.0, until - time.monotonic())
                found = self._read(epochs, after, min(left, _REGISTRY_SECONDS))
                if found:
                    self._answered = time.monotonic()
                if found or left <= 0:
                    return found

    def first(self) -> dict[str, Place]:
        """See :meth:`activity_center.bus.Reader.first`."""
        with _asking(self._where):
            self._looked = float("-inf")
            found: dict[str, Place] = {}
            for stream, epoch in self._look().items():
                oldest: Any = self._client.xrange(_key(stream, epoch), count=1)
                if oldest:
                    found[stream] = epoch, _position(oldest[0][0])
            return found

    def close(self) -> None:
        """See :meth:`activity_center.bus.Reader.close`."""
        self._client.close()

    def _look(self) -> dict[str, str]:
        """Return stream -> epoch, as it is or was a moment ago."""
        if time.monotonic() - self._looked >= _REGISTRY_SECONDS:
            answer: Any = self._client.hgetall(REGISTRY)
            self._epochs = {_text(stream): _text(epoch) for stream, epoch in answer.items()}
            self._looked = time.monotonic()
        return self._epochs

    def _read(
        self, epochs: Mapping[str, str], after: Mapping[str, Place], wait: float
    ) -> list[Published | Gap]:
        if not epochs:
            time.sleep(wait)
            return []
        places: dict[Any, Any] = {}
        moved = False
        for stream, epoch in epochs.items():
            place = after.get(stream)
            moved = moved or (place is not None and place[0] != epoch)
            places[_key(stream, epoch)] = f"{begin_at(place, epoch)}-1"
        block = None if moved or wait < 0.001 else int(wait * 1000)
        answer: Any = self._client.xread(places, count=ANSWER_ENTRIES, block=block)
        rows = {_text(key): entries for key, entries in answer or ()}
        found: list[Published | Gap] = []
        for stream, epoch in epochs.items():
            entries = rows.get(_key(stream, epoch), ())
            found += chained(
                stream,
                epoch,
                after.get(stream),
                ((_position(id_), int(entry[b"p"]), entry[b"b"]) for id_, entry in entries),
            )
        return found


def _client(config: BusConfig) -> Redis:
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as wrong:
        raise ConfigError(
            "bus.url names a Redis, and its client is not installed",
            hint="pip install 'activity-center[collector,sidecar]'",
        ) from wrong
    parts = urlsplit(config.url)
    tls: dict[str, Any] = {}
    if parts.scheme == "rediss":
        tls = {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
        if config.ca:
            tls["ssl_ca_certs"] = config.ca
    return redis.Redis(
        host=parts.hostname or "",
        port=parts.port or 6379,
        db=int(parts.path.strip("/") or 0),
        username=config.username or None,
        password=config.password or None,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        socket_keepalive=True,
        # One more try: a connection of before Redis was restarted.
        retry=Retry(NoBackoff(), 1),
        protocol=2,
        client_name="activity-center",
        **tls,
    )


@contextlib.contextmanager
def _asking(where: str) -> Iterator[None]:
    """Every error of the client, and an answer that is no stream of ours, is BusUnavailable."""
    from redis.exceptions import AuthenticationError, RedisError

    try:
        yield
    except AuthenticationError as wrong:
        raise BusUnavailable(
            f"Redis refuses the login: {wrong}",
            where=where,
            hint="see bus.username and bus.password",
        ) from wrong
    except (RedisError, OSError) as wrong:
        raise BusUnavailable(
            f"Redis cannot be asked: {wrong}", where=where, hint="is it up, and bus.url right?"
        ) from wrong
    except (KeyError, ValueError, TypeError, UnicodeError) as wrong:
        raise BusUnavailable(
            f"keys of {REGISTRY} are not ours: {type(wrong).__name__}",
            where=where,
            hint="give Activity Center a database of its own (bus.url)",
        ) from wrong


def _key(stream: str, epoch: str) -> str:
    return f"{REGISTRY}:{stream}:{epoch}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def _position(id_: bytes) -> int:
    return int(id_.partition(b"-")[0])
