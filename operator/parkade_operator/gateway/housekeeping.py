"""Keeps room in the platform store: what the store has of batches that nobody will lead again goes.

Only the gateway that leads does it. One that leads no more does no harm by it: what may go once may go for ever
(docs/adr/0024).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, Final

import structlog

from parkade_api.figures import Reading
from parkade_api.wellknown import API_VERSION
from parkade_core.batch.retention import StoredBatch, why_kept
from parkade_core.batch.status import FINISHED
from parkade_operator.kube.client import KubeClient
from parkade_operator.kube.errors import KubeError
from parkade_operator.shards import layout
from parkade_operator.shards.errors import StoreError
from parkade_operator.shards.metrics import read_room
from parkade_operator.shards.store import PlatformStore, Room

SWEEP_SECONDS: Final = 600.0
MEASURE_SECONDS: Final = 30.0

_log = structlog.get_logger()


class Housekeeping:
    """Sweeps the platform store and knows how full it is.

    *is_led* says whether this gateway leads a batch, *unfinished* asks the API server for the UIDs of all
    InferenceBatches that have not ended, as they are now.
    """

    def __init__(
        self,
        store: PlatformStore,
        retention: float,
        is_led: Callable[[str], bool],
        unfinished: Callable[[], Awaitable[AbstractSet[str]]],
    ) -> None:
        self._store = store
        self._retention = retention
        self._is_led = is_led
        self._unfinished = unfinished
        self._room: Room | None = None

    def parts(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """All that runs as long as the gateway leads."""
        return self._keep_sweeping(), self._keep_measuring()

    def readings(self) -> Iterator[Reading]:
        """How full the store was at the last look."""
        if self._room is not None:
            yield from read_room(self._room.used, self._room.free)

    async def sweep(self) -> None:
        """Removes every batch that may go. Raises KubeError, StoreError when nobody knows which may; all stay then."""
        # First the folders, then the objects: a batch that is planned meanwhile is in no list of folders.
        suspects = [uid for uid in await self._store.folders(layout.BATCHES) if not self._is_led(uid)]
        unfinished = await self._unfinished() if suspects else frozenset()
        for uid in suspects:
            try:
                await self._remove_if_over(uid, is_unfinished=uid in unfinished)
            except StoreError as error:
                _log.warning("a batch cannot be removed from the store", uid=uid, error=str(error))

    async def measure(self) -> None:
        """Looks how full the store is. Raises StoreError; the last look stays then."""
        self._room = await self._store.room()

    async def _remove_if_over(self, uid: str, *, is_unfinished: bool) -> None:
        age = time.time() - await self._store.newest(layout.batch(uid))
        batch = StoredBatch(uid, age, self._is_led(uid), is_unfinished)
        if why_kept(batch, self._retention) is None:
            await self._store.remove(layout.batch(uid))
            _log.info("batch removed from the store", uid=uid, hours_old=round(age / 3600, 1))

    async def _keep_sweeping(self) -> None:
        # The first time, too, is ten minutes after the gateway came to lead: by then the operator has asked it to
        # lead whatever it thinks unfinished.
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep()
            except (KubeError, StoreError) as error:
                _log.warning("the platform store is not swept; it is tried again", error=str(error))

    async def _keep_measuring(self) -> None:
        while True:
            with suppress(StoreError):
                await self.measure()
            await asyncio.sleep(MEASURE_SECONDS)


async def fetch_unfinished(client: KubeClient) -> AbstractSet[str]:
    """UIDs of all InferenceBatches that have not ended, fresh from the API server. Raises KubeError."""
    found = set()
    async for page in client.pages(f"/apis/{API_VERSION}/inferencebatches"):
        for item in page["items"]:
            if (item.get("status") or {}).get("phase") not in FINISHED:
                found.add(item["metadata"]["uid"])
    return found
