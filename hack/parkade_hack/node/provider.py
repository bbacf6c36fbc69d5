"""The provider of local processes: pods of the process node are run, stopped, watched and read here."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import structlog
from typing_extensions import override

from parkade_core.kubelet.pod import Object, PodView
from parkade_core.logs import LogOptions
from parkade_hack import proc
from parkade_hack.node.logs import read_log
from parkade_hack.node.pod import RunningPod, Surroundings
from parkade_operator.kubelet.api import LogSource, NoLogs
from parkade_operator.kubelet.pods import PodController
from parkade_operator.kubelet.provider import PodProvider

_MEMORY_SECONDS = 1.0
_KEPT = 20
_log = structlog.get_logger()


class Processes(PodProvider, LogSource):
    """Runs each pod once; what has ended stays known for its logs, the last few also when their objects are gone."""

    def __init__(self, pods: PodController, folder: Path, shared: Surroundings) -> None:
        self._pods = pods
        self._folder = folder
        self._shared = shared
        self._running: dict[str, RunningPod] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @override
    async def run(self, pod: Object) -> None:
        """Starts the pod, once."""
        uid = pod["metadata"]["uid"]
        if uid in self._running:
            return
        self._forget_old()
        _log.info("pod", pod=pod["metadata"]["name"], namespace=pod["metadata"]["namespace"], uid=uid)
        running = RunningPod(pod, self._folder / uid, self._shared, lambda view: self._pods.tell(uid, view))
        self._running[uid] = running
        self._tasks[uid] = asyncio.create_task(running.run())
        self._tasks[uid].add_done_callback(_tell_defect)

    def _forget_old(self) -> None:
        ended = [uid for uid, task in self._tasks.items() if task.done() and self._pods.get(uid) is None]
        for uid in ended[:-_KEPT]:
            del self._running[uid], self._tasks[uid]

    @override
    async def stop(self, pod: Object, grace_seconds: float, reason: str) -> None:
        """Ends its processes; a pod that never started has none."""
        uid = pod["metadata"]["uid"]
        if uid in self._running:
            self._running[uid].stop(grace_seconds)
        else:
            self._pods.tell(uid, PodView(containers={}, ended=True))

    @override
    async def conclude(self, pod: Object) -> bool:
        """A pod that ended stays: its owner, a Job or `helm test`, wants to know how."""
        return False

    @override
    def find(self, namespace: str, name: str) -> Object | None:
        return self._pods.find(namespace, name)

    @override
    async def logs(self, pod: Object, container: str, options: LogOptions) -> AsyncGenerator[bytes, None]:
        running = self._running.get(pod["metadata"]["uid"])
        if running is None:
            raise NoLogs("the process node was started anew after this pod had ended")
        if container not in running.containers:
            raise NoLogs(f"the pod has no container {container}")
        async for chunk in read_log(running.containers[container].log, options):
            yield chunk

    async def watch_memory(self) -> None:
        """Looks once a second at the memory of every container, until cancelled."""
        while True:
            await asyncio.sleep(_MEMORY_SECONDS)
            parents = proc.parents()
            for running in list(self._running.values()):
                for container in running.containers.values():
                    container.watch_memory(parents)

    async def stop_all(self, grace_seconds: float) -> None:
        """Ends every pod, because the node ends; their objects stay as they are."""
        for running in self._running.values():
            running.stop(grace_seconds)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


def _tell_defect(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (defect := task.exception()) is not None:
        _log.critical("a pod's task failed", exc_info=defect)
