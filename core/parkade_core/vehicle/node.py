"""A vehicle's Node: its name, its labels, and the object it is born as."""

from collections.abc import Mapping

from parkade_api.wellknown import (
    LABEL_POOL,
    LABEL_VEHICLE,
    NODE_PREFIX,
    PROVIDER,
    RESOURCE_SLOT,
    TAINT_PROVIDER,
    Condition,
    Effect,
    Taint,
)
from parkade_core.kubelet.node import NodeKind, Object, node_condition, node_info, system_labels

_READY = ("Ready", "True", "KubeletReady", "The gateway answers for this Node.")
_KUBELET_VERSION = "v1.37.1-parkade"


def vehicle_nodes(address: str, port: int) -> NodeKind:
    """The Nodes of all vehicles, whose kubelet answers at *address* and *port*."""
    return NodeKind(
        selectors={"labelSelector": LABEL_VEHICLE},
        name=node_name,
        key=vehicle_of,
        newborn=lambda vehicle, labels, now: newborn(vehicle, labels, address, port, now),
        ready=_READY,
        taint_keys=frozenset(Taint),
    )


def node_name(vehicle: str) -> str:
    """The name of a vehicle's Node."""
    return f"{NODE_PREFIX}{vehicle}"


def vehicle_of(name: str) -> str | None:
    """The vehicle of a Node's name; None when it is no vehicle's."""
    return name.removeprefix(NODE_PREFIX) if name.startswith(NODE_PREFIX) else None


def newborn(vehicle: str, labels: Mapping[str, str], address: str, port: int, now: str) -> Object:
    """The Node of a vehicle that was not seen before: Ready, and closed by the taint `unknown`."""
    unknown = [
        node_condition((kind.value, "Unknown", "Unknown", "Not known yet."), now) for kind in Condition
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node_name(vehicle),
            "labels": {key: value for key, value in labels.items() if value},
        },
        "spec": {
            "providerID": f"{PROVIDER}://{vehicle}",
            "taints": [
                {"key": TAINT_PROVIDER, "value": PROVIDER, "effect": Effect.NO_SCHEDULE.value},
                {"key": Taint.UNKNOWN.value, "effect": Effect.NO_SCHEDULE.value},
            ],
        },
        "status": {
            "capacity": _capacity("1"),
            "allocatable": _capacity("0"),
            "conditions": [node_condition(_READY, now), *unknown],
            "addresses": [{"type": "InternalIP", "address": address}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "nodeInfo": node_info(_KUBELET_VERSION),
        },
    }


def node_labels(vehicle: str, claims: Mapping[str, str], pool: str | None) -> dict[str, str]:
    """All labels of a vehicle's Node; that of the pool is "" while it is in none."""
    return {
        **claims,
        LABEL_VEHICLE: vehicle,
        "type": "virtual-kubelet",
        **system_labels(node_name(vehicle)),
        LABEL_POOL: pool or "",
    }


def slots_allocatable(*, is_open: bool) -> dict[str, str]:
    """What the scheduler may bind to a vehicle's Node: its one slot, or none while it is closed."""
    return {RESOURCE_SLOT: "1" if is_open else "0"}


def _capacity(slots: str) -> dict[str, str]:
    # DaemonSet pods that tolerate every taint are bound to vehicles and count here: leave them room.
    return {"cpu": "8", "memory": "8Gi", "pods": "20", RESOURCE_SLOT: slots}
