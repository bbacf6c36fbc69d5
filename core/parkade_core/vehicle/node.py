"""A vehicle's Node: the object it is born as, and the patches that carry an assessment.

`spec.taints` is an atomic list, which a patch replaces whole: it is computed from the list as it stands, changes
our keys only, and carries the resourceVersion it was computed from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

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

Object = dict[str, Any]
TaintRow = tuple[str, str, str]  # key, value, effect

_OURS = frozenset(Taint)
_KUBELET_VERSION = "v1.37.1-parkade"


def node_name(vehicle: str) -> str:
    """The name of a vehicle's Node."""
    return f"{NODE_PREFIX}{vehicle}"


def vehicle_of(name: str) -> str | None:
    """The vehicle of a Node's name; None when it is no vehicle's."""
    return name.removeprefix(NODE_PREFIX) if name.startswith(NODE_PREFIX) else None


def newborn(
    vehicle: str, labels: Mapping[str, str], pool: str | None, address: str, port: int, now: str
) -> Object:
    """The Node of a vehicle that was not seen before: Ready, and closed by the taint `unknown`."""
    name = node_name(vehicle)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": node_labels(vehicle, labels, pool)},
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
            "conditions": [
                _condition("Ready", "True", "KubeletReady", "The gateway answers for this Node.", now),
                *(_condition(kind.value, "Unknown", "Unknown", "Not known yet.", now) for kind in Condition),
            ],
            "addresses": [{"type": "InternalIP", "address": address}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "nodeInfo": _node_info(),
        },
    }


def node_labels(vehicle: str, claims: Mapping[str, str], pool: str | None) -> dict[str, str]:
    """All labels of a vehicle's Node. The beta labels spare the controller-manager four requests a Node."""
    name = node_name(vehicle)
    labels = {
        **claims,
        LABEL_VEHICLE: vehicle,
        "type": "virtual-kubelet",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": "amd64",
    }
    return labels | ({LABEL_POOL: pool} if pool else {})


def _capacity(slots: str) -> dict[str, str]:
    # DaemonSet pods that tolerate every taint are bound to vehicles and count here: leave them room.
    return {"cpu": "8", "memory": "8Gi", "pods": "20", RESOURCE_SLOT: slots}


def _node_info() -> dict[str, str]:
    unknown = dict.fromkeys(("machineID", "systemUUID", "bootID", "kernelVersion", "osImage"), "")
    return {
        **unknown,
        "architecture": "amd64",
        "operatingSystem": "linux",
        "containerRuntimeVersion": "parkade://1",
        "kubeletVersion": _KUBELET_VERSION,
        "kubeProxyVersion": "",
    }


def _condition(kind: str, status: str, reason: str, message: str, now: str) -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": now,
        "lastHeartbeatTime": now,
    }


def taints_patch(node: Object, ours: Sequence[TaintRow]) -> Object | None:
    """The merge patch that makes our taints of *node* be *ours*; None when they are already."""
    present: list[Object] = node["spec"].get("taints") or []
    have = {
        (taint["key"], taint.get("value", ""), taint["effect"]) for taint in present if taint["key"] in _OURS
    }
    if have == set(ours):
        return None
    others = [taint for taint in present if taint["key"] not in _OURS]
    wanted = [
        {"key": key, "effect": effect} | ({"value": value} if value else {}) for key, value, effect in ours
    ]
    version = node["metadata"]["resourceVersion"]
    return {"metadata": {"resourceVersion": version}, "spec": {"taints": [*others, *wanted]}}


def status_patch(
    node: Object, verdicts: Sequence[tuple[str, str, str, str]], *, open_for_slots: bool, now: str
) -> Object | None:
    """The strategic merge patch for conditions (type, status, reason, message) and slots, or None.

    A condition's lastTransitionTime moves only with its status. A changed message alone is not written: its numbers
    move all the time, and a write for each would be a heartbeat through the API server.
    """
    current = {condition["type"]: condition for condition in node["status"].get("conditions") or []}
    changed = []
    for kind, status, reason, message in verdicts:
        had = current.get(kind, {})
        if (had.get("status"), had.get("reason")) != (status, reason):
            since = had["lastTransitionTime"] if had.get("status") == status else now
            changed.append(_condition(kind, status, reason, message, now) | {"lastTransitionTime": since})
    slots = "1" if open_for_slots else "0"
    allocatable = node["status"].get("allocatable") or {}
    patch: Object = {"conditions": changed} if changed else {}
    if allocatable.get(RESOURCE_SLOT) != slots:
        patch["allocatable"] = {RESOURCE_SLOT: slots}
    return {"status": patch} if patch else None


def metadata_patch(node: Object, labels: Mapping[str, str]) -> Object | None:
    """The merge patch that sets *labels* (a value of "" removes one); None when they are set."""
    have = node["metadata"].get("labels") or {}
    wrong = {key: value or None for key, value in labels.items() if have.get(key, "") != value}
    return {"metadata": {"labels": wrong}} if wrong else None


def lease(vehicle: str, node_uid: str, holder: str, now_micro: str, seconds: int) -> Object:
    """The Lease of a vehicle's Node; it goes when the Node goes."""
    name = node_name(vehicle)
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node_uid}],
        },
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": now_micro},
    }
