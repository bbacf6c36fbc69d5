"""`parkade-sidecar`: checks one INT8 bundle, loads it, warms it up, serves it until SIGTERM.

Exit codes: 0 stopped as told; 2 wrong settings; 3 to 8 are those of `core/parkade_core/vehicle/death.py`: the last
line of the log, and the file of last words, say why.
"""

import asyncio
import os
import resource
import sys
from functools import partial
from typing import Final, NoReturn

import structlog

from parkade_agent.runtime.last_words import SERVING, LastWords
from parkade_agent.sidecar.allocator import keep_freed_memory
from parkade_agent.sidecar.errors import MemoryLentError
from parkade_agent.sidecar.folder import SlotFolder
from parkade_agent.sidecar.inference import InferenceService
from parkade_agent.sidecar.lanes import Lanes
from parkade_agent.sidecar.lanes_service import LanesService
from parkade_agent.sidecar.limits import most_lanes
from parkade_agent.sidecar.loading import check_bundle, open_bundle
from parkade_agent.sidecar.model import Model
from parkade_agent.sidecar.server import SidecarServer
from parkade_agent.sidecar.settings import Settings
from parkade_agent.sidecar.shards import ShardsService
from parkade_agent.sidecar.watchdog import watch_runs
from parkade_api.logs import configure_logs
from parkade_api.settings import load
from parkade_api.stopping import told_to_stop
from parkade_core.vehicle.death import SidecarExit
from parkade_models.bundle import load_bundle
from parkade_models.errors import BundleError, DamagedBundleError, OutOfMemoryError, UnknownTaskError

_EXITS: Final = {
    DamagedBundleError: SidecarExit.BUNDLE_DAMAGED,
    UnknownTaskError: SidecarExit.TASK_UNKNOWN,
    BundleError: SidecarExit.BUNDLE,
    MemoryLentError: SidecarExit.MEMORY_LENT,
    OutOfMemoryError: SidecarExit.OUT_OF_MEMORY,
    MemoryError: SidecarExit.OUT_OF_MEMORY,
}
_log = structlog.get_logger()


def main() -> None:
    """Checks, loads, warms up, serves."""
    configure_logs("sidecar")
    settings = load(Settings, "parkade-sidecar")
    words = LastWords(settings.last_words)
    try:
        bundle = load_bundle(settings.bundle)
        check_bundle(bundle, settings.memory_bytes, words.say)
        model = open_bundle(bundle, words.say)
    except tuple(_EXITS) as error:
        _log.error("bundle refused", reason=type(error).__name__, message=str(error))
        words.say(str(error) or "there is too little memory")
        sys.exit(next(code for kind, code in _EXITS.items() if isinstance(error, kind)))
    # What may take long at the start is done: from now on each run has its own limit.
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    watch_runs(model.task.session, settings.run_cpu_seconds, partial(_stuck, words))
    keep_freed_memory()
    asyncio.run(_serve(settings, model, words))


def _out_of_memory(words: LastWords, sentence: str) -> NoReturn:
    words.say(sentence)
    _log.error("out of memory", message=sentence)
    os._exit(SidecarExit.OUT_OF_MEMORY)


def _stuck(words: LastWords, sentence: str) -> None:
    words.say(sentence)
    _log.error("run stuck", message=sentence)
    os._exit(SidecarExit.RUN_STUCK)


async def _serve(settings: Settings, model: Model, words: LastWords) -> None:
    most = most_lanes(model.bundle, settings.memory_bytes)
    lanes = Lanes(model.task.session, min(settings.lanes, most))
    shards = ShardsService(model, lanes, SlotFolder(settings.slot_dir), partial(_out_of_memory, words))
    server = SidecarServer(settings.socket, InferenceService(model, lanes), shards, LanesService(lanes, most))
    stopping = told_to_stop()
    await server.start()
    words.say(SERVING)
    bundle, computes = model.bundle, model.reproducibility_class
    _log.info(
        "serving",
        model=bundle.manifest.name,
        digest=bundle.digest,
        lanes=lanes.count,
        reproducibility=computes,
    )
    await stopping.wait()
    await server.stop(settings.grace_seconds, lanes.close)
    _log.info("stopped")


if __name__ == "__main__":
    main()
