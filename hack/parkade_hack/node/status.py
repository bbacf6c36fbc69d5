"""The Node of local processes and the status of its pods."""

import hashlib
from dataclasses import replace
from typing import Final

from parkade_core.kubelet.node import NodeDesire, NodeKind, node_condition, node_info, system_labels
from parkade_core.kubelet.pod import (
    WAITING,
    ContainerView,
    Object,
    PodRules,
    PodView,
    container_status,
    status_patch,
)
from parkade_hack.controlplane.credentials import PROCESS_NODE
from parkade_hack.node.refusal import NOT_FOR_PROCESSES, refusal

HOST: Final = "127.0.0.1"
DESIRE: Final = NodeDesire(labels=system_labels(PROCESS_NODE))
_READY: Final = ("Ready", "True", "ProcessNodeReady", "Pods of our own images run here as local processes.")
_CAPACITY: Final = {"cpu": "8", "memory": "16Gi", "pods": "60"}
_LAST_OCTETS = 254


def process_nodes(port: int) -> NodeKind:
    """The one Node, which may see no other; its logs are read at *port* of the loopback."""
    return NodeKind(
        selectors={"fieldSelector": f"metadata.name={PROCESS_NODE}"},
        name=lambda key: key,
        key=lambda name: name if name == PROCESS_NODE else None,
        newborn=lambda key, labels, now: {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": key, "labels": dict(labels)},
            "spec": {"providerID": f"process://{key}"},
            "status": {
                "capacity": dict(_CAPACITY),
                "allocatable": dict(_CAPACITY),
                "conditions": [node_condition(_READY, now)],
                "addresses": [{"type": "InternalIP", "address": HOST}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
                "nodeInfo": node_info("v1.37.1-process"),
            },
        },
        ready=_READY,
    )


def pod_ip(pod: Object) -> str:
    """The loopback address that is this pod's alone: made of its uid, so it stays the same for all its life."""
    first, second, third = hashlib.sha256(pod["metadata"]["uid"].encode()).digest()[:3]
    return f"127.{1 + first % _LAST_OCTETS}.{second}.{1 + third % _LAST_OCTETS}"


def pod_status(pod: Object, view: PodView, now: str) -> Object:
    """The strategic merge patch for `pods/status` of a pod that runs here."""
    seen = [_seen(container, view) for container in pod["spec"]["containers"]]
    ready = not view.ended and all(container.ready for container in seen)
    truths = (("Initialized", True), ("ContainersReady", ready), ("Ready", ready))
    statuses = [
        container_status(container, one)
        for container, one in zip(pod["spec"]["containers"], seen, strict=True)
    ]
    patch = status_patch(pod, _phase(seen, view), truths, {"containerStatuses": statuses}, HOST, now)
    address = pod_ip(pod)
    patch["status"] |= {
        "podIP": address,
        "podIPs": [{"ip": address}],
        "reason": view.reason if view.ended else "",
        "message": view.message if view.ended else "",
    }
    return patch


def _seen(container: Object, view: PodView) -> ContainerView:
    seen = view.containers.get(container["name"], WAITING)
    if not view.ended or seen.phase == "Terminated":
        return seen
    if seen.last is not None:  # it waited for its next start
        return replace(seen.last, restarts=seen.restarts)
    return replace(seen, phase="Terminated", reason="NotStarted", exit_code=137, ready=False)


def _phase(seen: list[ContainerView], view: PodView) -> str:
    if view.ended:
        return "Succeeded" if all(container.exit_code == 0 for container in seen) else "Failed"
    return "Running" if any(one.phase != "Waiting" or one.last for one in seen) else "Pending"


RULES: Final = PodRules(refusal, NOT_FOR_PROCESSES, pod_status)
