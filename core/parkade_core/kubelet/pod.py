"""Pods of any provider: how they stand, what the kubelet does about them, and the status that kubectl shows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ContainerView:
    """One container as its runtime sees it. Times are RFC 3339 or empty; *last* is the run before this one.

    *runtime_id* is `<runtime>://<id>`, or empty for one made of the container's name.
    """

    phase: Literal["Waiting", "Running", "Terminated"]
    reason: str = ""
    message: str = ""
    exit_code: int = 0
    ready: bool = False
    started_at: str = ""
    finished_at: str = ""
    restarts: int = 0
    runtime_id: str = ""
    last: "ContainerView | None" = None


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod as its runtime sees it; *ended* when no process of it is left."""

    containers: Mapping[str, ContainerView]
    ended: bool = False
    reason: str = ""
    message: str = ""


NOT_STARTED = PodView(containers={})
WAITING = ContainerView(phase="Waiting", reason="ContainerCreating")


@dataclass(frozen=True, slots=True)
class PodRules:
    """What a provider's pods are: pure functions that it chooses once.

    *refusal* says why a pod is none of its own, None when it is; *refusal_reason* is the word for that. *status* is
    the strategic merge patch for `pods/status` by pod, view and the time (RFC 3339).
    """

    refusal: Callable[[Object], str | None]
    refusal_reason: str
    status: Callable[[Object, PodView, str], Object]

    def refused_status(self, message: str) -> Object:
        """The status of a pod that is not run: Pending, because a failed one would come back at once."""
        return {"status": {"phase": "Pending", "reason": self.refusal_reason, "message": message}}


Action = Literal["Refuse", "Run", "Stop", "Conclude", "Remove"]


def decide(pod: Object, view: PodView, *, refused: bool) -> Action:
    """What the kubelet does about a pod bound to one of its Nodes.

    Refuse: leave it Pending and say why. Run: run it and report. Stop: it is being deleted, end its processes.
    Conclude: it ended of itself, its provider says whether it stays. Remove: it is being deleted and nothing of it
    is left.
    """
    deleting = "deletionTimestamp" in pod["metadata"]
    if refused:
        return "Remove" if deleting else "Refuse"
    if deleting:
        return "Remove" if view.ended else "Stop"
    return "Conclude" if view.ended else "Run"


def is_finished(pod: Object) -> bool:
    """Whether the API server knows that the pod has ended."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def status_patch(
    pod: Object,
    phase: str,
    truths: Sequence[tuple[str, bool]],
    containers: Mapping[str, list[Object]],
    host: str,
    now: str,
) -> Object:
    """The strategic merge patch for `pods/status`; its uid keeps it off a later pod of the same name.

    *truths* are condition types and whether they hold, *containers* the status lists by their field.
    """
    had = {condition["type"]: condition for condition in pod.get("status", {}).get("conditions") or []}
    status: Object = {
        "phase": phase,
        "observedGeneration": pod["metadata"].get("generation", 1),
        "hostIP": host,
        "hostIPs": _host_ips(pod, host),
        "startTime": pod.get("status", {}).get("startTime") or now,
        "conditions": [_condition(kind, holds=holds, had=had, now=now) for kind, holds in truths],
        **containers,
    }
    return {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}


def _host_ips(pod: Object, host: str) -> list[Object]:
    """The list merges by address, and the API server takes one address a family: another one replaces it whole."""
    ours = [{"ip": host}]
    had = pod.get("status", {}).get("hostIPs") or ours
    return ours if had == ours else [{"$patch": "replace"}, *ours]


def container_status(container: Object, seen: ContainerView) -> Object:
    """One entry of containerStatuses."""
    name = container["name"]
    running = seen.phase == "Running"
    status = {
        "name": name,
        "image": container["image"],
        "imageID": "",
        "containerID": (seen.runtime_id or f"parkade://{name}") if seen.phase != "Waiting" else "",
        "ready": running and seen.ready,
        "started": running,
        "restartCount": seen.restarts,
        "state": _state(seen),
    }
    return status | ({"lastState": _state(seen.last)} if seen.last else {})


def _condition(kind: str, *, holds: bool, had: Mapping[str, Object], now: str) -> Object:
    status = "True" if holds else "False"
    before = had.get(kind, {})
    since = before.get("lastTransitionTime", now) if before.get("status") == status else now
    return {"type": kind, "status": status, "lastTransitionTime": since}


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
