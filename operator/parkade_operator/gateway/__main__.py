"""`parkade-gateway`: everything that vehicles talk to, until SIGTERM.

Any number of gateways may run; one leads by its Lease, the others stand by and open no port but that of metrics.
Exit codes: 0 stopped as told; 1 lost the Lease, or cannot use its store or its authority; 2 wrong settings.
"""

import asyncio
import os
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import structlog

from parkade_api.exposition import Health, serve
from parkade_api.figures import StateCollector
from parkade_api.logs import configure_logs
from parkade_api.settings import load
from parkade_api.stopping import told_to_stop
from parkade_api.wellknown import GATEWAY
from parkade_operator.gateway.changes import Changes
from parkade_operator.gateway.follow import follow_batches, follow_pools, follow_quarantines
from parkade_operator.gateway.housekeeping import Housekeeping, fetch_unfinished
from parkade_operator.gateway.leading import fetch_authority, keep_visible
from parkade_operator.gateway.metrics import FIGURES
from parkade_operator.gateway.serving import serve_kubelet
from parkade_operator.gateway.settings import Settings
from parkade_operator.gateway.wiring import Gateway, new_id, wire
from parkade_operator.kube.client import Access, KubeClient
from parkade_operator.kube.leader import Alarm, Election
from parkade_operator.shards.errors import ShardsError
from parkade_operator.shards.files import FileRoot
from parkade_operator.shards.metrics import STORE_FIGURES
from parkade_operator.shards.service import Batches
from parkade_operator.shards.store import PlatformStore
from parkade_operator.shards.workers import WorkerPool

_WORKERS = 1
_WORKERS_SECONDS = 2.0
_log = structlog.get_logger()


def main() -> None:
    """Runs the gateway."""
    configure_logs("gateway")
    settings = load(Settings, "parkade-gateway")
    try:
        code = asyncio.run(_run(settings))
    except ShardsError as error:
        _log.error("the platform store cannot be used", error=str(error))
        code = 1
    except BaseException:  # noqa: BLE001 - os._exit would swallow it
        _log.critical("the gateway failed", exc_info=True)
        code = 1
    sys.stderr.flush()
    # obstore now and then aborts while the interpreter is torn down.
    os._exit(code)


async def _run(settings: Settings) -> int:
    stopping = told_to_stop()
    health = Health("gateway")
    exposition = serve(health, settings.listen_address, settings.metrics_port)
    beating = asyncio.create_task(health.keep_beating())
    store = PlatformStore.from_url(settings.platform_store)
    await store.probe()
    client = KubeClient(Access())
    election = Election(client, settings, GATEWAY, Alarm("gateway"))
    health.set_ready(True)
    workers = WorkerPool(_WORKERS)
    async with election.term(stopping) as leads:
        code = await _lead(settings, client, store, workers, stopping) if leads else 0
    await client.close()
    with suppress(TimeoutError):
        # A worker in the middle of a plan dies with this process; the next gateway finds what it created.
        await asyncio.wait_for(asyncio.to_thread(workers.shutdown), _WORKERS_SECONDS)
    beating.cancel()
    exposition.close()
    _log.info("stopped", as_told=stopping.is_set())
    return code


async def _lead(
    settings: Settings, client: KubeClient, store: PlatformStore, workers: WorkerPool, stopping: asyncio.Event
) -> int:
    """All that only one gateway may do; when it returns nothing of it is left."""
    authority = await fetch_authority(client, settings, stopping)
    if authority is None:
        return 0
    changes = Changes()
    batches = Batches(store, FileRoot(settings.file_root), workers, time.monotonic, new_id, changes.notify)
    gateway = wire(settings, client, authority, batches, changes)
    housekeeping = Housekeeping(
        store,
        settings.store_retention_seconds,
        is_led=lambda uid: uid in batches.uids(),
        unfinished=lambda: fetch_unfinished(client),
    )
    StateCollector(FIGURES, gateway.readings).register()
    StateCollector(STORE_FIGURES, housekeeping.readings).register()
    async with asyncio.TaskGroup() as group:
        serving = _serve(gateway, keep_visible(client, settings, authority))
        logs = serve_kubelet(
            client, gateway.logs, settings.listen_address, settings.kubelet_port, settings.node_address
        )
        tasks = [group.create_task(part) for part in (*_parts(gateway), *housekeeping.parts(), serving, logs)]
        ends = [asyncio.ensure_future(event.wait()) for event in (stopping, batches.broken)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        servers = (gateway.door, gateway.enrolment, gateway.internal)
        await asyncio.gather(*(server.stop(grace=0.5) for server in servers))
        for task in (*tasks, *ends):
            task.cancel()
    await batches.close()
    return 0 if stopping.is_set() else 1


def _parts(gateway: Gateway) -> list[Coroutine[Any, Any, None]]:
    return [
        gateway.pools.watch(),
        gateway.nodes.watch(),
        gateway.nodes.work(),
        gateway.nodes.renew(),
        gateway.pods.watch(),
        gateway.pods.work(),
        gateway.vehicles.work(),
        *gateway.reception.parts(),
        follow_pools(gateway),
        follow_quarantines(gateway),
        follow_batches(gateway),
    ]


async def _serve(gateway: Gateway, visible: Coroutine[Any, Any, None]) -> None:
    """The door opens when all that exists is known, so that nothing is created twice or taken for gone."""
    for synced in (gateway.pools.synced, gateway.nodes.synced, gateway.pods.synced, gateway.reception.synced):
        await synced.wait()
    gateway.vehicles.adopt()
    await gateway.internal.start()
    await gateway.enrolment.start()
    await gateway.door.start()
    _log.info("open", vehicles=len(gateway.nodes.known()))
    await visible


if __name__ == "__main__":
    main()
