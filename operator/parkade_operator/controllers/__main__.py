"""`parkade-operator`: reconciles VehiclePool and InferenceBatch, until SIGTERM."""

import asyncio
import logging
import signal
import sys

import kopf

from parkade_api.logs import configure_logs
from parkade_operator.controllers import handlers, login
from parkade_operator.controllers.settings import Settings
from parkade_operator.kube.client import Access


def main() -> None:
    """Runs the operator."""
    configure_logs("operator")
    # kopf's line for each handled event says nothing that our own decisions do not say.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    access = Access()
    registry = kopf.OperatorRegistry()
    login.register(registry, access)
    asyncio.run(_run(registry, Settings(), access))


async def _run(registry: kopf.OperatorRegistry, settings: Settings, access: Access) -> None:
    stopping, failed = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    def fail() -> None:
        failed.set()
        stopping.set()

    handlers.register(registry, settings, access, fail)
    await kopf.operator(registry=registry, standalone=True, clusterwide=True, stop_flag=stopping)
    if failed.is_set():
        sys.exit(1)


if __name__ == "__main__":
    main()
