"""`parkade-operator`: reconciles VehiclePool and InferenceBatch, until SIGTERM.

Exit codes: 0 stopped as told; 1 a part of it failed; 2 wrong settings.
"""

import asyncio
import logging
import signal
import sys

import kopf
import structlog

from parkade_api.logs import configure_logs
from parkade_api.settings import load
from parkade_operator.controllers import handlers, login
from parkade_operator.controllers.controllers import Controllers
from parkade_operator.controllers.settings import Settings
from parkade_operator.kube.client import Access

_log = structlog.get_logger()


def main() -> None:
    """Runs the operator."""
    configure_logs("operator")
    # kopf's line for each handled event says nothing that our own decisions do not say.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    sys.exit(asyncio.run(_run(load(Settings, "parkade-operator"), Access())))


async def _run(settings: Settings, access: Access) -> int:
    controllers = Controllers(settings, access)
    registry = kopf.OperatorRegistry()
    login.register(registry, access)
    handlers.register(registry, controllers)
    controllers.start()
    watching, stopping = await _watch(registry)
    ends: list[asyncio.Future[None]] = [watching, controllers.failed, stopping]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    await controllers.stop()
    # Cancelled, because kopf's own way to stop waits some seconds for tasks that are not its own.
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    _log.info("stopped", as_told=stopping.done())
    return 0 if stopping.done() else 1


async def _watch(registry: kopf.OperatorRegistry) -> tuple[asyncio.Task[None], asyncio.Future[None]]:
    """Kopf at work, and what is done when this process is told to stop; kopf sets its own signal handlers first."""
    ready = asyncio.Event()
    operator = kopf.operator(
        registry=registry, settings=handlers.settings(), standalone=True, clusterwide=True, ready_flag=ready
    )
    watching = asyncio.create_task(operator)
    await asyncio.wait([watching, asyncio.ensure_future(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _tell, stopping)
    return watching, stopping


def _tell(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


if __name__ == "__main__":
    main()
