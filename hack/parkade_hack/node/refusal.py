"""Which pods the process node runs: those of our own images, as far as processes can keep what the pod asks for."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

from parkade_api import __version__
from parkade_core.kubelet.pod import Object

IMAGES: Final = frozenset({f"parkade/operator:{__version__}", f"parkade/agent:{__version__}"})
NOT_FOR_PROCESSES: Final = "NotForProcessNode"
PROBES: Final = ("startupProbe", "livenessProbe", "readinessProbe")
VOLUMES: Final = frozenset(
    {"projected", "secret", "configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim"}
)
SOURCES: Final = frozenset({"serviceAccountToken", "secret", "configMap", "downwardAPI"})


def refusal(pod: Object) -> str | None:
    """Why the process node does not run *pod*, in one sentence; None when it does."""
    return next(_objections(pod["spec"]), None)


def _objections(spec: Object) -> Iterator[str]:
    if spec.get("initContainers"):
        yield "the process node runs no init containers"
    for container in spec["containers"]:
        yield from (f"container {container['name']}: {what}" for what in _of_container(container))
    for volume in spec.get("volumes") or []:
        yield from (f"volume {volume['name']}: {what}" for what in _of_volume(volume))


def _of_container(container: Object) -> Iterator[str]:
    if container["image"] not in IMAGES:
        yield f"image {container['image']} is none of {', '.join(sorted(IMAGES))}, which the process node runs"
    command = container.get("command") or [""]
    if not command[0] or PurePath(command[0]).name != command[0]:
        yield f"command {command[0]!r} is not the plain name of a program of the image"
    for probe in PROBES:
        if probe in container:
            yield from _of_probe(container, probe)
    for variable in container.get("env") or []:
        if "resourceFieldRef" in variable.get("valueFrom", {}):
            yield f"variable {variable['name']} comes from resourceFieldRef"
    if container.get("lifecycle"):
        yield "lifecycle hooks are not run"


def _of_probe(container: Object, probe: str) -> Iterator[str]:
    get = container[probe].get("httpGet")
    if get is None:
        yield f"{probe} is not httpGet, the only kind that the process node asks"
        return
    names = [port.get("name") for port in container.get("ports") or []]
    if isinstance(get["port"], str) and get["port"] not in names:
        yield f"{probe} asks port {get['port']}, which is none of the container's"


def _of_volume(volume: Object) -> Iterator[str]:
    kind = next((key for key in volume if key != "name"), "emptyDir")
    if kind not in VOLUMES:
        yield f"{kind} is not among {', '.join(sorted(VOLUMES))}"
    for source in volume.get("projected", {}).get("sources") or []:
        if unknown := set(source) - SOURCES:
            yield f"{', '.join(sorted(unknown))} cannot be projected"
