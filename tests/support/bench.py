"""Batches of the gateway over a real file store, with a clock that the test sets."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

from parkade_core.batch.progress import BatchState, Progress
from parkade_operator.shards.service import Batches
from parkade_operator.shards.spec import BatchSpec, Grant
from parkade_operator.shards.store import PlatformStore
from support.stores import Ground, pack

UID = "0b5e4f0c-51a4-4a35-9a31-6f0f4b5f7a01"


class Bench:
    """Batches over a `Ground`, with a clock that the test sets."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.now = 1000.0
        self.changed = asyncio.Event()
        self.store = PlatformStore(ground.store_root)
        self.executor = ThreadPoolExecutor(1)
        self.batches = Batches(
            self.store,
            ground.files(),
            self.executor,
            lambda: self.now,
            lambda: str(uuid.uuid4()),
            self.changed.set,
        )

    def status(self) -> Progress:
        """The only batch."""
        (status,) = self.batches.status()
        return status

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a change that makes *condition* true."""
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def state(self, *states: BatchState) -> Progress:
        """Wait until the batch is in one of the states."""
        await self.until(lambda: self.status().state in states)
        return self.status()

    async def start(self, **changes: object) -> BatchSpec:
        """Plan a batch and wait until it runs."""
        spec = self.ground.spec(**changes)
        self.batches.plan(spec)
        await self.state(BatchState.RUNNING, BatchState.FAILED)
        return spec

    def lease(self, vehicle: str = "v1", want: int = 64) -> Grant:
        """Lease shards; the test expects some."""
        grant = self.batches.lease(UID, vehicle, want)
        assert grant is not None
        return grant

    async def send(
        self, grant: Grant, data: dict[int, bytes], vehicle: str = "v1", piece: int = 0
    ) -> list[tuple[int, bool]]:
        """Finish the shards of a grant whose bytes are in *data* and send them as one piece."""
        results = [(granted, data[granted.shard]) for granted in grant.shards]
        header, body = pack(UID, grant.lease, piece, results, self.status().input_digest)
        return await self.batches.store_piece(UID, vehicle, header, body)

    async def fetch(self, grant: Grant, vehicle: str = "v1") -> dict[int, bytes]:
        """The bytes of the shards of a grant."""
        found = {}
        for granted in grant.shards:
            chunks = self.batches.fetch_shard(UID, vehicle, grant.lease, granted.shard)
            found[granted.shard] = b"".join([chunk async for chunk in chunks])
        return found

    async def work(self, vehicle: str = "v1", want: int = 64) -> list[tuple[int, bool]]:
        """Lease, fetch, finish, send."""
        grant = self.lease(vehicle, want)
        return await self.send(grant, await self.fetch(grant, vehicle), vehicle)

    async def close(self) -> None:
        """Stop like a process that ends."""
        await self.batches.close()
        self.executor.shutdown()
        self.store.close()


@contextlib.asynccontextmanager
async def running(ground: Ground) -> AsyncIterator[Bench]:
    """A bench that is closed at the end."""
    bench = Bench(ground)
    try:
        yield bench
    finally:
        await bench.close()
