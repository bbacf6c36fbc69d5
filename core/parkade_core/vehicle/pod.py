"""A slot's pod: what the vehicle says of its containers, as the status that kubectl shows."""

from dataclasses import replace

from parkade_api.wellknown import (
    CONTAINER_RUNNER,
    CONTAINER_SIDECAR,
    IMAGE_RUNNER,
    IMAGE_SIDECAR,
    LABEL_BATCH_UID,
    NOT_FOR_VEHICLES,
)
from parkade_core.kubelet.pod import (
    NOT_STARTED,
    WAITING,
    ContainerView,
    Object,
    PodRules,
    PodView,
    container_status,
    status_patch,
)

_IMAGES = {CONTAINER_RUNNER: IMAGE_RUNNER, CONTAINER_SIDECAR: IMAGE_SIDECAR}


def slot_rules(address: str) -> PodRules:
    """The rules for pods on vehicles' Nodes, all of which answer at *address*."""
    return PodRules(refusal, NOT_FOR_VEHICLES, lambda pod, view, now: pod_status(pod, view, address, now))


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
    if not (pod["metadata"].get("labels") or {}).get(LABEL_BATCH_UID):
        return f"the label {LABEL_BATCH_UID} does not say which batch the slot works for"
    return None


def pod_status(pod: Object, view: PodView, address: str, now: str) -> Object:
    """The strategic merge patch for `pods/status` of a slot."""
    containers = {
        group: [_container_status(container, view) for container in pod["spec"].get(source) or []]
        for group, source in (
            ("initContainerStatuses", "initContainers"),
            ("containerStatuses", "containers"),
        )
    }
    patch = status_patch(pod, _phase(view), _truths(view), containers, address, now)
    patch["status"] |= {
        "reason": view.reason if view.ended else "",
        "message": view.message if view.ended else "",
    }
    return patch


def standing(pod: Object, view: PodView) -> PodView:
    """How a slot stands: as its vehicle said, or, before it has dialled in, as an earlier gateway wrote it down."""
    if view != NOT_STARTED:
        return view
    rows = pod.get("status", {}).get("containerStatuses") or []
    return PodView({row["name"]: _written(row) for row in rows})


def _written(row: Object) -> ContainerView:
    runs = "running" in (row.get("state") or {})
    return ContainerView("Running" if runs else "Waiting", ready=row.get("ready", False))


def _phase(view: PodView) -> str:
    if view.ended:
        return "Failed"
    runner = view.containers.get(CONTAINER_RUNNER, WAITING)
    return "Running" if runner.phase == "Running" or runner.restarts else "Pending"


def _truths(view: PodView) -> tuple[tuple[str, bool], ...]:
    sidecar = view.containers.get(CONTAINER_SIDECAR, WAITING)
    runner = view.containers.get(CONTAINER_RUNNER, WAITING)
    ready = not view.ended and sidecar.ready and runner.ready
    return (
        ("Initialized", sidecar.phase == "Running"),
        ("ContainersReady", ready),
        ("Ready", ready),
    )


def _container_status(container: Object, view: PodView) -> Object:
    seen = view.containers.get(container["name"], WAITING)
    if view.ended and seen.phase != "Terminated":
        why = view.reason or "Ended"
        seen = replace(seen, phase="Terminated", reason=why, message=view.message, exit_code=137, ready=False)
    return container_status(container, seen)
