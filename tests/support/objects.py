"""Builders for unit tests: a vehicle's Node, a slot's pod, a pool, a batch, and the API server's way to patch them."""

import copy
from typing import Any

from parkade_api.v1alpha1 import InferenceBatch, VehiclePool
from parkade_core.batch.slots import replica_set
from parkade_core.kubelet.node import TaintRow
from parkade_core.vehicle.node import newborn, node_labels

Object = dict[str, Any]
BORN = "2026-01-01T00:00:00Z"
LATER = "2026-01-01T00:10:00Z"
DIGEST = "sha256:" + "ab" * 32
UID = "0b5e4f0c-51a4-4a35-9a31-6f0f4b5f7a01"


def node(vehicle: str = "v1", taints: list[TaintRow] | None = None, **meta: object) -> Object:
    """The Node of *vehicle* as the API server holds it: newborn, or with exactly *taints*."""
    made = newborn(
        vehicle, node_labels(vehicle, {"parkade.dev/region": "eu"}, "home"), "127.0.0.1", 10250, BORN
    )
    made["metadata"] |= {"uid": f"node-{vehicle}", "resourceVersion": "7"} | meta
    if taints is not None:
        made["spec"]["taints"] = [
            {"key": key, "effect": effect} | ({"value": value} if value else {})
            for key, value, effect in taints
        ]
    return made


def pool(name: str = "home", *, weight: int = 1, labels: object = None, **selector: object) -> VehiclePool:
    """A pool; *selector* as in the API, without one every vehicle fits."""
    meta = {"name": name, "uid": f"pool-{name}", "generation": 3, "labels": labels or {}}
    spec = {"selector": selector, "weight": weight}
    return VehiclePool.model_validate({"metadata": meta, "spec": spec})


def batch_object(name: str = "docs", **spec: object) -> Object:
    """An InferenceBatch as a user writes it, on the pool `home` but for what *spec* says."""
    base: Object = {
        "model": {"uri": "file:///model", "digest": DIGEST},
        "input": {"uri": "file:///docs.jsonl"},
        "output": {"uri": "file:///results"},
    }
    pools = {} if "poolSelector" in spec else {"poolRefs": ["home"]}
    meta = {"name": name, "namespace": "team", "uid": UID, "generation": 2}
    return {"metadata": meta, "spec": base | pools | spec}


def batch(name: str = "docs", **spec: object) -> InferenceBatch:
    """The same, understood."""
    return InferenceBatch.model_validate(batch_object(name, **spec))


def slot_pod(vehicle: str = "v1", **meta: object) -> Object:
    """A pod of a batch's ReplicaSet, bound to the Node of *vehicle*, as the API server holds it."""
    template = copy.deepcopy(replica_set(batch(), ["home"], 1, 3600)["spec"]["template"])
    named = {"name": "docs-0b5e4f0c-x7k2p", "namespace": "team", "uid": "pod-1", "generation": 1}
    spec = template["spec"] | {"nodeName": f"vehicle-{vehicle}"}
    return {"metadata": template["metadata"] | named | meta, "spec": spec, "status": {"phase": "Pending"}}


def patched(current: Any, patch: Any) -> Any:
    """*current* after *patch*: None removes, lists of conditions are merged by type, other lists replaced."""
    if isinstance(patch, dict):
        merged = dict(current) if isinstance(current, dict) else {}
        for key, value in patch.items():
            merged[key] = patched(merged.get(key), value)
        return {key: value for key, value in merged.items() if value is not None}
    if isinstance(patch, list) and patch and all(isinstance(item, dict) and "type" in item for item in patch):
        kept = {item["type"]: item for item in current or []}
        return list((kept | {item["type"]: patched(kept.get(item["type"]), item) for item in patch}).values())
    return patch
