"""`parkade-operator`: reconciles VehiclePool and InferenceBatch, until SIGTERM."""

import asyncio
import logging

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
    handlers.register(registry, Settings(), access)
    asyncio.run(kopf.operator(registry=registry, standalone=True, clusterwide=True))


if __name__ == "__main__":
    main()
