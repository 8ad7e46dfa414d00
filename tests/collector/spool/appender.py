"""A process that appends for ever and prints the numbers that were acknowledged."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from collector.rejected import RejectedStore
from collector.spool import Spool
from tests.collector.spool.entries import entry, reject


async def _connection(spool: Spool, start: int) -> None:
    number = start
    while True:
        batch = [entry(n, extra="x" * 200) for n in range(number, number + 1 + number % 7)]
        rejects = [reject(number)] if number % 5 == 0 else []
        await spool.append(batch, rejects)
        first, last = number, number + len(batch) - 1
        sys.stdout.write(f"{first} {last} {int(bool(rejects))}\n")
        sys.stdout.flush()
        number = last + 1


async def _main(folder: Path, start: int) -> None:
    store = RejectedStore(folder / "rejected")
    spool = Spool.open(folder / "spool", quota_bytes=1 << 30, segment_bytes=100_000, rejected=store)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.gather(*[_connection(spool, start + k * 10**6) for k in range(8)])


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
