"""`parkade-gateway`: everything that vehicles talk to, until SIGTERM."""

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress

import structlog

from parkade_api.logs import configure_logs
from parkade_api.settings import load
from parkade_operator.gateway.internal import Changes
from parkade_operator.gateway.settings import Settings
from parkade_operator.gateway.wiring import Gateway, new_id, wire
from parkade_operator.kube.client import Access, KubeClient
from parkade_operator.shards.errors import ShardsError
from parkade_operator.shards.files import FileRoot
from parkade_operator.shards.service import Batches
from parkade_operator.shards.store import PlatformStore
from parkade_operator.shards.workers import WorkerPool

_WORKERS = 1
_WORKERS_SECONDS = 2.0
_log = structlog.get_logger()


def main() -> None:
    """Runs the gateway; exit code 0 after SIGTERM, 1 without its store, 2 with wrong settings."""
    configure_logs("gateway")
    settings = load(Settings, "parkade-gateway")
    try:
        code = asyncio.run(_run(settings))
    except ShardsError as error:
        _log.error("the platform store cannot be used", error=str(error))
        code = 1
    sys.stderr.flush()
    # obstore now and then aborts while the interpreter is torn down.
    os._exit(code)


async def _run(settings: Settings) -> int:
    stopping = _until_told_to_stop()
    client = KubeClient(Access())
    changes = Changes()
    store = PlatformStore.from_url(settings.platform_store)
    await store.probe()
    workers = WorkerPool(_WORKERS)
    batches = Batches(store, FileRoot(settings.file_root), workers, time.monotonic, new_id, changes.notify)
    gateway = wire(settings, client, batches, changes)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in _parts(gateway)]
        await _open(gateway)
        await stopping.wait()
        await gateway.door.stop(grace=0.5)
        await gateway.internal.stop(grace=0.5)
        for task in tasks:
            task.cancel()
    await batches.close()
    await client.close()
    with suppress(TimeoutError):
        # A worker in the middle of a plan dies with this process; the next gateway finds what it created.
        await asyncio.wait_for(asyncio.to_thread(workers.shutdown), _WORKERS_SECONDS)
    _log.info("stopped")
    return 0


def _parts(gateway: Gateway) -> list:  # type: ignore[type-arg]
    return [
        gateway.pools.watch(),
        gateway.nodes.watch(),
        gateway.nodes.work(),
        gateway.nodes.renew(),
        gateway.pods.watch(),
        gateway.pods.work(),
        gateway.vehicles.work(),
        _follow_pools(gateway),
        _follow_batches(gateway),
    ]


async def _open(gateway: Gateway) -> None:
    """The door opens when all that exists is known, so that nothing is created twice or taken for gone."""
    for synced in (gateway.pools.synced, gateway.nodes.synced, gateway.pods.synced):
        await synced.wait()
    gateway.vehicles.adopt()
    await gateway.internal.start()
    await gateway.door.start()
    _log.info("open", vehicles=len(gateway.nodes.vehicles()))


async def _follow_pools(gateway: Gateway) -> None:
    """A pool changed: its vehicles are judged anew, and their guards hear the new rules."""
    seen: dict[str, int] = {}
    while True:
        generations = gateway.pools.generations()
        if generations != seen:
            seen = generations
            gateway.vehicles.judge_all()
            for vehicle in gateway.vehicles.names():
                gateway.fleet.send_policy(vehicle)
        await gateway.changes.wait()


async def _follow_batches(gateway: Gateway) -> None:
    """A batch was planned: slots that were bound to vehicles before that are assigned now."""
    seen: set[str] = set()
    while True:
        planned = {status.uid for status in gateway.batches.status() if status.input_digest}
        for uid in planned - seen:
            gateway.slots.nudge_batch(uid)
        seen = planned
        await gateway.changes.wait()


def _until_told_to_stop() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


if __name__ == "__main__":
    main()
