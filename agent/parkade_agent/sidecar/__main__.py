"""`parkade-sidecar`: loads one INT8 bundle, warms it up, serves it until SIGTERM.

Exit codes: 0 stopped as told; 2 wrong settings; 3 the bundle cannot be used (the last line of the log says why).
"""

import asyncio
import sys

import structlog

from parkade_agent.errors import EXIT_BUNDLE
from parkade_agent.sidecar.folder import SlotFolder
from parkade_agent.sidecar.inference import InferenceService
from parkade_agent.sidecar.lanes import Lanes
from parkade_agent.sidecar.server import SidecarServer
from parkade_agent.sidecar.settings import Settings
from parkade_agent.sidecar.shards import ShardsService
from parkade_api.logs import configure_logs
from parkade_api.settings import load
from parkade_api.stopping import told_to_stop
from parkade_api.wellknown import BatchReason
from parkade_models.bundle import Bundle, load_bundle
from parkade_models.errors import BundleError
from parkade_models.tasks import open_task
from parkade_models.tasks.task import Task

_log = structlog.get_logger()


def main() -> None:
    """Loads, warms up, serves."""
    configure_logs("sidecar")
    settings = load(Settings, "parkade-sidecar")
    try:
        bundle = load_bundle(settings.bundle)
        task = open_task(bundle)
    except BundleError as error:
        _log.error("bundle refused", reason=BatchReason.MODEL_INVALID, message=str(error))
        sys.exit(EXIT_BUNDLE)
    task.warm_up()
    asyncio.run(_serve(settings, bundle, task))


async def _serve(settings: Settings, bundle: Bundle, task: Task) -> None:
    lanes = Lanes(task.session, settings.lanes)
    shards = ShardsService(bundle.digest, task, lanes, SlotFolder(settings.slot_dir))
    server = SidecarServer(settings.socket, InferenceService(bundle, task, lanes), shards)
    stopping = told_to_stop()
    await server.start()
    _log.info("serving", model=bundle.manifest.name, digest=bundle.digest, lanes=settings.lanes)
    await stopping.wait()
    await server.stop(settings.grace_seconds, lanes.close)
    _log.info("stopped")


if __name__ == "__main__":
    main()
