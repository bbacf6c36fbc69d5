"""A slot's pod: what the vehicle says of its containers, as the status that kubectl shows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from parkade_api.wellknown import (
    CONTAINER_RUNNER,
    CONTAINER_SIDECAR,
    IMAGE_RUNNER,
    IMAGE_SIDECAR,
    NOT_FOR_VEHICLES,
)

Object = dict[str, Any]

_IMAGES = {CONTAINER_RUNNER: IMAGE_RUNNER, CONTAINER_SIDECAR: IMAGE_SIDECAR}


@dataclass(frozen=True, slots=True)
class ContainerView:
    """One container as its runtime sees it. Times are RFC 3339 or empty."""

    phase: Literal["Waiting", "Running", "Terminated"]
    reason: str = ""
    message: str = ""
    exit_code: int = 0
    ready: bool = False
    started_at: str = ""
    finished_at: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod as its runtime sees it; *ended* when no process of it is left."""

    containers: Mapping[str, ContainerView]
    ended: bool = False
    reason: str = ""
    message: str = ""


NOT_STARTED = PodView(containers={})
_WAITING = ContainerView(phase="Waiting", reason="ContainerCreating")


def refusal(pod: Object) -> str | None:
    """Why a pod bound to a vehicle's Node is none that a vehicle runs; None when it is one."""
    spec = pod["spec"]
    containers = [*(spec.get("initContainers") or []), *spec["containers"]]
    for container in containers:
        image = _IMAGES.get(container["name"])
        if image is None or container["image"].rpartition(":")[0] != image:
            return (
                f"container {container['name']} has image {container['image']}; a vehicle runs only "
                f"{CONTAINER_SIDECAR} ({IMAGE_SIDECAR}) and {CONTAINER_RUNNER} ({IMAGE_RUNNER})"
            )
    if sorted(container["name"] for container in containers) != sorted(_IMAGES):
        return "a slot has exactly one runner and one sidecar"
    return None


def refused_status(message: str) -> Object:
    """The status of a pod that no vehicle runs: Pending, because a failed one would come back at once."""
    return {"status": {"phase": "Pending", "reason": NOT_FOR_VEHICLES, "message": message}}


def pod_status(pod: Object, view: PodView, address: str, now: str) -> Object:
    """The strategic merge patch for `pods/status`; its uid keeps it off a later pod of the same name."""
    meta, spec = pod["metadata"], pod["spec"]
    statuses = {
        group: [_container_status(container, view) for container in spec.get(source) or []]
        for group, source in (
            ("initContainerStatuses", "initContainers"),
            ("containerStatuses", "containers"),
        )
    }
    had = {condition["type"]: condition for condition in pod.get("status", {}).get("conditions") or []}
    status: Object = {
        "phase": _phase(view),
        "observedGeneration": meta.get("generation", 1),
        "hostIP": address,
        "hostIPs": [{"ip": address}],
        "startTime": pod.get("status", {}).get("startTime") or now,
        "reason": view.reason if view.ended else "",
        "message": view.message if view.ended else "",
        "conditions": [_pod_condition(kind, holds=holds, had=had, now=now) for kind, holds in _truths(view)],
        **statuses,
    }
    return {"metadata": {"uid": meta["uid"]}, "status": status}


def _phase(view: PodView) -> str:
    if view.ended:
        return "Failed"
    runner = view.containers.get(CONTAINER_RUNNER, _WAITING)
    return "Running" if runner.phase == "Running" or runner.restarts else "Pending"


def _truths(view: PodView) -> tuple[tuple[str, bool], ...]:
    sidecar = view.containers.get(CONTAINER_SIDECAR, _WAITING)
    runner = view.containers.get(CONTAINER_RUNNER, _WAITING)
    ready = not view.ended and sidecar.ready and runner.ready
    return (
        ("Initialized", sidecar.phase == "Running"),
        ("ContainersReady", ready),
        ("Ready", ready),
    )


def _pod_condition(kind: str, *, holds: bool, had: Mapping[str, Object], now: str) -> Object:
    status = "True" if holds else "False"
    before = had.get(kind, {})
    since = before.get("lastTransitionTime", now) if before.get("status") == status else now
    return {"type": kind, "status": status, "lastTransitionTime": since}


def _container_status(container: Object, view: PodView) -> Object:
    name = container["name"]
    seen = view.containers.get(name, _WAITING)
    if view.ended and seen.phase != "Terminated":
        why = view.reason or "Ended"
        seen = replace(seen, phase="Terminated", reason=why, message=view.message, exit_code=137, ready=False)
    running = seen.phase == "Running"
    return {
        "name": name,
        "image": container["image"],
        "imageID": "",
        "containerID": f"parkade://{name}" if seen.phase != "Waiting" else "",
        "ready": running and seen.ready,
        "started": running,
        "restartCount": seen.restarts,
        "state": _state(seen),
    }


def _state(seen: ContainerView) -> Object:
    match seen.phase:
        case "Waiting":
            return {"waiting": {"reason": seen.reason, "message": seen.message}}
        case "Running":
            return {"running": {"startedAt": seen.started_at or None}}
        case "Terminated":
            return {
                "terminated": {
                    "exitCode": seen.exit_code,
                    "reason": seen.reason,
                    "message": seen.message,
                    "startedAt": seen.started_at or None,
                    "finishedAt": seen.finished_at or None,
                }
            }


Action = Literal["Refuse", "Run", "Stop", "Fail", "Remove"]


def decide(pod: Object, view: PodView) -> Action:
    """What the kubelet does about a pod bound to one of its Nodes.

    Refuse: leave it Pending and say why. Run: run it and report. Stop: it is being deleted, end its processes.
    Fail: it ended on the vehicle's account, close the Node, then report and remove it, because a ReplicaSet never
    removes failed pods. Remove: it is being deleted and nothing of it is left.
    """
    deleting = "deletionTimestamp" in pod["metadata"]
    if refusal(pod) is not None:
        return "Remove" if deleting else "Refuse"
    if deleting:
        return "Remove" if view.ended else "Stop"
    return "Fail" if view.ended else "Run"
