"""What the API server says of vehicles and batches at one moment, reduced to what a person wants to see."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from parkade_api.wellknown import GROUP, Condition, Taint

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VehicleRow:
    """One vehicle: its Node's name, what it does, why it does not work, and its taints."""

    name: str
    state: str
    why: str
    taints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch: where it stands, counted in records and shards."""

    namespace: str
    name: str
    phase: str
    message: str
    percent: int
    records: int
    records_done: int
    records_failed: int
    shards: int
    shards_done: int
    shards_leased: int
    vehicles: int
    eta: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All vehicles and batches, sorted by name."""

    vehicles: tuple[VehicleRow, ...] = ()
    batches: tuple[BatchRow, ...] = ()


def summarize(nodes: Iterable[Object], pods: Iterable[Object], batches: Iterable[Object]) -> Snapshot:
    """A snapshot from the Nodes of vehicles, the pods of slots, and the InferenceBatches."""
    working = {pod["spec"].get("nodeName", ""): pod for pod in pods if _is_running(pod)}
    vehicles = (_vehicle(node, working) for node in nodes)
    return Snapshot(
        vehicles=tuple(sorted(vehicles, key=lambda row: row.name)),
        batches=tuple(sorted(map(_batch, batches), key=lambda row: (row.namespace, row.name))),
    )


def _is_running(pod: Object) -> bool:
    has_left = "deletionTimestamp" in pod["metadata"]
    return pod.get("status", {}).get("phase") == "Running" and not has_left


def _vehicle(node: Object, working: Mapping[str, Object]) -> VehicleRow:
    name = node["metadata"]["name"]
    taints = tuple(_taint_text(taint) for taint in node["spec"].get("taints", ()) if _is_ours(taint["key"]))
    why = "; ".join(_complaints(node))
    return VehicleRow(name, _state(name, taints, working, why), why, taints)


def _is_ours(key: str) -> bool:
    return key.startswith(f"{GROUP}/")


def _taint_text(taint: Object) -> str:
    key = taint["key"].removeprefix(f"{GROUP}/")
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{key}{value}:{taint['effect']}"


def _complaints(node: Object) -> list[str]:
    kinds = set(Condition)
    conditions = node.get("status", {}).get("conditions", ())
    return [
        f"{entry.get('reason', '')}: {entry.get('message', '')}"
        for entry in conditions
        if entry["type"] in kinds and entry["status"] != "True"
    ]


def _state(name: str, taints: tuple[str, ...], working: Mapping[str, Object], why: str) -> str:
    if any(taint.startswith("connectivity=offline") for taint in taints):
        return "Silent"
    if name in working:
        return "Working"
    if any(taint.startswith(Taint.UNKNOWN.removeprefix(f"{GROUP}/")) for taint in taints):
        return "Unknown"
    return "Closed" if why or taints else "Free"


def _batch(batch: Object) -> BatchRow:
    status = batch.get("status", {})
    counts, shards = status.get("requestCounts", {}), status.get("shards", {})
    return BatchRow(
        namespace=batch["metadata"]["namespace"],
        name=batch["metadata"]["name"],
        phase=status.get("phase", "Pending"),
        message=status.get("message", ""),
        percent=status.get("progressPercent", 0),
        records=counts.get("total", 0),
        records_done=counts.get("completed", 0),
        records_failed=counts.get("failed", 0),
        shards=shards.get("total", 0),
        shards_done=shards.get("succeeded", 0),
        shards_leased=shards.get("leased", 0),
        vehicles=status.get("usage", {}).get("vehicles", 0),
        eta=status.get("estimatedCompletionTime", ""),
    )
