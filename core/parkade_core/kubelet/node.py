"""Nodes of any provider: what is desired of them, and the patches that make it so.

`spec.taints` is an atomic list, which a patch replaces whole: it is computed from the list as it stands, changes
our keys only, and carries the resourceVersion it was computed from.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
TaintRow = tuple[str, str, str]  # key, value, effect
ConditionRow = tuple[str, str, str, str]  # type, status, reason, message


@dataclass(frozen=True, slots=True)
class NodeDesire:
    """What a Node shall say. A label with the value "" shall not be there."""

    labels: Mapping[str, str]
    verdicts: tuple[ConditionRow, ...] = ()
    taints: tuple[TaintRow, ...] = ()
    allocatable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeKind:
    """What the Nodes of one kubelet have in common.

    *selectors* find them at the API server. *name* and *key* turn a key of ours into a Node's name and back (None:
    not ours). *newborn* makes the object by key, labels and time. *taint_keys* are those that the kubelet owns.
    """

    selectors: Mapping[str, str]
    name: Callable[[str], str]
    key: Callable[[str], str | None]
    newborn: Callable[[str, Mapping[str, str], str], Object]
    ready: ConditionRow
    taint_keys: frozenset[str] = frozenset()


def node_condition(row: ConditionRow, now: str) -> Object:
    """A condition that has just become so."""
    kind, status, reason, message = row
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": now,
        "lastHeartbeatTime": now,
    }


def node_info(version: str) -> dict[str, str]:
    """The `nodeInfo` of a Node that is no machine; *version* is shown by `kubectl get nodes`."""
    unknown = dict.fromkeys(("machineID", "systemUUID", "bootID", "kernelVersion", "osImage"), "")
    return {
        **unknown,
        "architecture": "amd64",
        "operatingSystem": "linux",
        "containerRuntimeVersion": "parkade://1",
        "kubeletVersion": version,
        "kubeProxyVersion": "",
    }


def system_labels(name: str) -> dict[str, str]:
    """Labels that every Node has. The beta labels spare the controller-manager four requests a Node."""
    return {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": "amd64",
    }


def taints_patch(node: Object, wanted: Sequence[TaintRow], ours: Collection[str]) -> Object | None:
    """The merge patch that makes the taints of *node* with keys in *ours* be *wanted*; None when they are already."""
    present: list[Object] = node["spec"].get("taints") or []
    have = {
        (taint["key"], taint.get("value", ""), taint["effect"]) for taint in present if taint["key"] in ours
    }
    if have == set(wanted):
        return None
    others = [taint for taint in present if taint["key"] not in ours]
    rows = [
        {"key": key, "effect": effect} | ({"value": value} if value else {}) for key, value, effect in wanted
    ]
    version = node["metadata"]["resourceVersion"]
    return {"metadata": {"resourceVersion": version}, "spec": {"taints": [*others, *rows]}}


def status_patch(
    node: Object, verdicts: Sequence[ConditionRow], allocatable: Mapping[str, str], now: str
) -> Object | None:
    """The strategic merge patch for conditions and for those resources that *allocatable* names, or None.

    A condition's lastTransitionTime moves only with its status. A changed message alone is not written: its numbers
    move all the time, and a write for each would be a heartbeat through the API server.
    """
    current = {condition["type"]: condition for condition in node["status"].get("conditions") or []}
    changed = []
    for row in verdicts:
        kind, status, reason, _ = row
        had = current.get(kind, {})
        if (had.get("status"), had.get("reason")) != (status, reason):
            since = had["lastTransitionTime"] if had.get("status") == status else now
            changed.append(node_condition(row, now) | {"lastTransitionTime": since})
    patch: Object = {"conditions": changed} if changed else {}
    has = node["status"].get("allocatable") or {}
    if differing := {name: amount for name, amount in allocatable.items() if has.get(name) != amount}:
        patch["allocatable"] = differing
    return {"status": patch} if patch else None


def place_patch(node: Object, newborn: Object) -> Object | None:
    """The strategic merge patch that has *node* name the address and port of *newborn*'s kubelet; None when it does."""
    parts = ("addresses", "daemonEndpoints")
    wanted = {part: newborn["status"][part] for part in parts}
    if {part: node["status"].get(part) for part in parts} == wanted:
        return None
    # Addresses are merged by type: without this, one of another type would stay for ever.
    return {"status": wanted | {"addresses": [*wanted["addresses"], {"$patch": "replace"}]}}


def owner_patch(node: Object, owner: Object) -> Object | None:
    """The merge patch that makes *owner* the one owner of its kind, whatever else owns *node*; None when it is."""
    meta = node["metadata"]
    present: list[Object] = meta.get("ownerReferences") or []
    kind = (owner["apiVersion"], owner["kind"])
    if [have["uid"] for have in present if (have["apiVersion"], have["kind"]) == kind] == [owner["uid"]]:
        return None
    others = [have for have in present if (have["apiVersion"], have["kind"]) != kind]
    return {
        "metadata": {"resourceVersion": meta["resourceVersion"], "ownerReferences": [*others, owner]},
    }


def metadata_patch(node: Object, labels: Mapping[str, str]) -> Object | None:
    """The merge patch that sets *labels* (a value of "" removes one); None when they are set."""
    have = node["metadata"].get("labels") or {}
    wrong = {key: value or None for key, value in labels.items() if have.get(key, "") != value}
    return {"metadata": {"labels": wrong}} if wrong else None


def lease(name: str, node_uid: str, holder: str, now_micro: str, seconds: int) -> Object:
    """The Lease of the Node called *name*; it goes when the Node goes."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node_uid}],
        },
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": now_micro},
    }
