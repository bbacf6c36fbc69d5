"""`parkade-operator`: reconciles VehiclePool and InferenceBatch, until SIGTERM.

Any number of operators may run; one leads by its Lease, the others stand by and watch nothing.
Exit codes: 0 stopped as told; 1 lost the Lease, or a part of it failed; 2 wrong settings.
"""

import asyncio
import logging
import signal
import sys
from typing import Any

import kopf
import structlog

from parkade_api.exposition import Health, serve
from parkade_api.figures import StateCollector
from parkade_api.logs import configure_logs
from parkade_api.settings import load
from parkade_api.wellknown import OPERATOR
from parkade_operator.controllers import handlers, login
from parkade_operator.controllers.controllers import Controllers
from parkade_operator.controllers.metrics import FIGURES
from parkade_operator.controllers.settings import Settings
from parkade_operator.kube.client import Access, KubeClient
from parkade_operator.kube.leader import Alarm, Election

_log = structlog.get_logger()


def main() -> None:
    """Runs the operator."""
    configure_logs("operator")
    # kopf's line for each handled event says nothing that our own decisions do not say.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    sys.exit(asyncio.run(_run(load(Settings, "parkade-operator"), Access())))


async def _run(settings: Settings, access: Access) -> int:
    stopping = asyncio.Event()
    _listen_to_signals(stopping)
    health = Health("operator")
    exposition = serve(health, settings.listen_address, settings.metrics_port)
    beating = asyncio.create_task(health.keep_beating())
    client = KubeClient(access)
    election = Election(client, settings, OPERATOR, Alarm("operator"))
    health.set_ready(True)
    async with election.term(stopping) as leads:
        code = await _lead(settings, access, client, stopping) if leads else 0
    await client.close()
    beating.cancel()
    exposition.close()
    _log.info("stopped", as_told=stopping.is_set())
    return code


async def _lead(settings: Settings, access: Access, client: KubeClient, stopping: asyncio.Event) -> int:
    """All that only one operator may do; when it returns nothing of it is left."""
    controllers = Controllers(settings, client)
    registry = kopf.OperatorRegistry()
    login.register(registry, access)
    handlers.register(registry, controllers)
    controllers.start()
    StateCollector(FIGURES, controllers.readings).register()
    watching = await _watch(registry, stopping)
    told = asyncio.ensure_future(stopping.wait())
    ends: list[asyncio.Future[Any]] = [watching, controllers.failed, told]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    await controllers.stop()
    # Cancelled, because kopf's own way to stop waits some seconds for tasks that are not its own.
    for task in (watching, told):
        task.cancel()
    await asyncio.gather(watching, told, return_exceptions=True)
    return 0 if stopping.is_set() else 1


async def _watch(registry: kopf.OperatorRegistry, stopping: asyncio.Event) -> asyncio.Task[None]:
    """Kopf at work; it takes the signals for itself when it starts, and they are taken back."""
    ready = asyncio.Event()
    operator = kopf.operator(
        registry=registry, settings=handlers.settings(), standalone=True, clusterwide=True, ready_flag=ready
    )
    watching = asyncio.create_task(operator)
    started = asyncio.ensure_future(ready.wait())
    await asyncio.wait([watching, started], return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    _listen_to_signals(stopping)
    return watching


def _listen_to_signals(stopping: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)


if __name__ == "__main__":
    main()
