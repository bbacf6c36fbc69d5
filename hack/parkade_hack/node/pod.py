"""One pod: its folder, its volumes, and all of its containers until nothing of it is left."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from parkade_agent.runtime.output import ContainerLog
from parkade_core.kubelet.pod import WAITING, ContainerView, Object, PodView
from parkade_hack.node.container import Container, Start
from parkade_hack.node.environment import command_line, container_environment, localised
from parkade_hack.node.follow import ObjectCache
from parkade_hack.node.objects import NotThere, references
from parkade_hack.node.status import HOST, pod_ip
from parkade_hack.node.volumes import Volumes
from parkade_operator.kube.client import KubeClient
from parkade_operator.kube.errors import KubeError

_LOOK_SECONDS = 1.0
_TEMPORARY = "/tmp"  # noqa: S108 - the mount path that becomes TMPDIR


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all pods of the node share: *programs* is where commands lie, *environment* what every process is told."""

    client: KubeClient
    cache: ObjectCache
    programs: Path
    environment: dict[str, str]


class RunningPod:
    """Runs one pod; *on_view* hears how it stands after every change, last that it has ended."""

    def __init__(
        self, pod: Object, folder: Path, shared: Surroundings, on_view: Callable[[PodView], None]
    ) -> None:
        self._pod = pod
        self._folder = folder
        self._shared = shared
        self._on_view = on_view
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._volumes = Volumes(shared.client, shared.cache, pod, folder / "volumes")
        self._waiting: ContainerView | None = WAITING
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        self._specs = {spec["name"]: spec for spec in pod["spec"]["containers"]}
        self.containers = {name: self._container(spec) for name, spec in self._specs.items()}

    async def run(self) -> None:
        """From the first volume to the last process; tells `ended` whatever happens."""
        followed = references(self._pod)
        for ref in followed:
            self._shared.cache.follow(ref, self._changed.set)
        try:
            if await self._prepared():
                await self._run_containers()
        finally:
            for ref in followed:
                self._shared.cache.leave(ref, self._changed.set)
            shutil.rmtree(self._folder / "volumes", ignore_errors=True)
            self._waiting = None
            self._on_view(self._view(ended=True))

    def stop(self, grace_seconds: float) -> None:
        """Has everything ended within *grace_seconds*."""
        self._stopping.set()
        self._changed.set()
        for container in self.containers.values():
            container.stop(grace_seconds)

    async def _prepared(self) -> bool:
        """True once everything is there that the pod needs to start; False when it was stopped before."""
        while not self._stopping.is_set():
            self._changed.clear()
            try:
                await self._volumes.make()
                for spec in self._specs.values():
                    self._start_of(spec)
            except (NotThere, KubeError) as error:
                self._waiting = replace(WAITING, reason="CreateContainerConfigError", message=str(error))
                self._tell()
            else:
                self._waiting = None
                return True
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._changed.wait()
        return False

    async def _run_containers(self) -> None:
        refreshing = asyncio.create_task(self._volumes.keep_fresh(self._changed))
        try:
            async with asyncio.TaskGroup() as group:
                for name, container in self.containers.items():
                    spec = self._specs[name]
                    group.create_task(container.run(partial(self._start_of, spec)))
        finally:
            refreshing.cancel()
            await asyncio.gather(refreshing, return_exceptions=True)

    def _start_of(self, spec: Object) -> Start:
        """What the container is started with now. Raises NotThere."""
        mounts = self._volumes.mounts(spec)
        told = container_environment(self._pod, spec, self._shared.cache.get, pod_ip(self._pod), HOST)
        own = {name: localised(value, mounts) for name, value in told.items()}
        temporary = {"TMPDIR": mounts[_TEMPORARY]} if _TEMPORARY in mounts else {}
        program, *arguments = command_line(spec, told, mounts)
        return Start(
            command=[str(self._shared.programs / program), *arguments],
            environment=self._shared.environment | temporary | own,
            folder=Path(localised(spec["workingDir"], mounts)) if "workingDir" in spec else self._folder,
        )

    def _container(self, spec: Object) -> Container:
        log = ContainerLog(self._folder / "logs", spec["name"])
        return Container(
            self._pod, spec, pod_ip(self._pod), log, _restarts(self._pod, spec["name"]), self._tell
        )

    def _tell(self) -> None:
        self._on_view(self._view(ended=False))

    def _view(self, *, ended: bool) -> PodView:
        views = {name: container.view for name, container in self.containers.items()}
        if self._waiting is not None:
            views = {name: replace(self._waiting, restarts=view.restarts) for name, view in views.items()}
        return PodView(containers=views, ended=ended)


def _restarts(pod: Object, container: str) -> int:
    """How often a container was started again, counting the life that an earlier process node took with it."""
    for status in pod.get("status", {}).get("containerStatuses") or []:
        if status["name"] == container:
            return int(status.get("restartCount", 0)) + ("waiting" not in status.get("state", {}))
    return 0
