"""How many slots a batch shall have, and the ReplicaSet that holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from parkade_api import __version__
from parkade_api import wellknown as wk
from parkade_api.v1alpha1 import InferenceBatch
from parkade_core.batch.progress import BatchState, Progress
from parkade_core.batch.status import is_finished
from parkade_core.patches import covers

Object = dict[str, Any]

# A few pods more than vehicles, so that a vehicle that becomes eligible finds one waiting.
SPARE = 2
_LABEL_LENGTH = 63


@dataclass(frozen=True, slots=True)
class SlotView:
    """What decides the number of slots of one batch."""

    stopped: bool  # suspended or finished
    shards_left: int
    parallelism: int | None
    eligible_vehicles: int  # those that have a slot of this batch already, too
    running: int  # slots on connected vehicles, idle ones too
    idle: int  # of those, the ones that were told "no shard for you" and are NotReady
    silent: int  # slots on silent vehicles


@dataclass(frozen=True, slots=True)
class SlotDecision:
    """The number of replicas, and why."""

    replicas: int
    reason: str


def decide_slots(view: SlotView) -> SlotDecision:
    """The replicas of a batch.

    Slots on silent vehicles count on top, because they may never come back. The number falls no faster than slots
    become idle: a ReplicaSet deletes pods that wait or are NotReady first, so it ends only slots that hold no shard.
    """
    if view.stopped or view.shards_left == 0:
        return SlotDecision(0, "the batch is suspended or has no shard left")
    limits = [view.shards_left, view.eligible_vehicles + SPARE]
    wanted = min([*limits, view.parallelism] if view.parallelism else limits)
    target = view.silent + wanted
    holding = view.running - view.idle + view.silent
    if target < holding:
        return SlotDecision(holding, f"{holding} slots may hold shards; {target} are wanted")
    return SlotDecision(target, f"{wanted} wanted and {view.silent} on silent vehicles")


@dataclass(frozen=True, slots=True)
class SlotChange:
    """What to write to a batch's ReplicaSet: all of it, or only a merge patch of it; and why."""

    body: Object
    is_whole: bool
    replicas: int
    reason: str


def plan_slots(
    batch: InferenceBatch,
    pools: Sequence[str],
    autonomy_seconds: int,
    seen: tuple[Progress | None, int, Object | None],
) -> SlotChange | None:
    """What makes the ReplicaSet of a batch on *pools* right; None when it is, or while that is not known.

    A batch that is planned again, because its leader is a new one, may have slots that work: they are left alone.

    *seen* is the batch's progress, the free vehicles of its pools, and the ReplicaSet as it stands.
    """
    progress, free, current = seen
    state = BatchState.PLANNING if progress is None else progress.state
    has_ended = is_finished(batch) or state not in (BatchState.PLANNING, BatchState.RUNNING)
    stopped = has_ended or (batch.spec.suspend and progress is not None)
    if state is BatchState.PLANNING and not stopped:
        return None
    decision = decide_slots(_view(batch, progress or Progress(state), free, stopped=stopped))
    if decision.replicas == 0:
        is_right = current is None or current["spec"]["replicas"] == 0
        scale = SlotChange({"spec": {"replicas": 0}}, False, 0, decision.reason)
        return None if is_right else scale
    body = replica_set(batch, pools, decision.replicas, autonomy_seconds)
    is_right = not pools or (current is not None and covers(current["spec"], body["spec"]))
    return None if is_right else SlotChange(body, True, decision.replicas, decision.reason)


def _view(batch: InferenceBatch, progress: Progress, free: int, *, stopped: bool) -> SlotView:
    return SlotView(
        stopped=stopped,
        shards_left=progress.shards_total - progress.shards_committed,
        parallelism=batch.spec.parallelism,
        eligible_vehicles=free + progress.slots_starting + progress.slots_running,
        running=progress.slots_running,
        idle=progress.slots_idle,
        silent=progress.slots_silent,
    )


def replica_set_name(batch: InferenceBatch) -> str:
    """The name of a batch's ReplicaSet; it differs for a batch of the same name that is created later."""
    return f"{batch.metadata.name[:50].rstrip('-.')}-{batch.metadata.uid[:8]}"


def replica_set(batch: InferenceBatch, pools: Sequence[str], replicas: int, autonomy_seconds: int) -> Object:
    """The ReplicaSet of a batch's slots on vehicles of *pools*, to be applied by its only owner."""
    meta = batch.metadata
    labels = {wk.LABEL_BATCH_UID: meta.uid}
    if len(meta.name) <= _LABEL_LENGTH:
        labels[wk.LABEL_BATCH] = meta.name
    owner = {
        "apiVersion": wk.API_VERSION,
        "kind": "InferenceBatch",
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": replica_set_name(batch),
            "namespace": meta.namespace,
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {wk.LABEL_BATCH_UID: meta.uid}},
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {wk.ANNOTATION_BUNDLE_DIGEST: batch.spec.model.digest},
                },
                "spec": _pod_spec(batch, pools, autonomy_seconds),
            },
        },
    }


def _pod_spec(batch: InferenceBatch, pools: Sequence[str], autonomy_seconds: int) -> Object:
    slot = {"limits": {wk.RESOURCE_SLOT: "1"}, "requests": {wk.RESOURCE_SLOT: "1"}}
    return {
        "restartPolicy": "Always",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "affinity": {"nodeAffinity": _affinity(batch.spec.model.digest, pools)},
        "tolerations": _tolerations(autonomy_seconds),
        "initContainers": [
            {
                "name": wk.CONTAINER_SIDECAR,
                "image": f"{wk.IMAGE_SIDECAR}:{__version__}",
                "restartPolicy": "Always",
            }
        ],
        "containers": [
            {"name": wk.CONTAINER_RUNNER, "image": f"{wk.IMAGE_RUNNER}:{__version__}", "resources": slot}
        ],
    }


def _affinity(digest: str, pools: Sequence[str]) -> Object:
    expressions = [
        {"key": wk.LABEL_POOL, "operator": "In", "values": sorted(pools)},
        {"key": refusal_label(digest), "operator": "DoesNotExist"},
    ]
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": expressions}]
        }
    }


def refusal_label(bundle_digest: str) -> str:
    """The label of a Node whose vehicle refuses the bundle with this digest."""
    return f"{wk.REFUSAL_PREFIX}{bundle_digest.removeprefix('sha256:')[:32]}"


def _tolerations(autonomy_seconds: int) -> list[Object]:
    return [
        {"key": wk.TAINT_PROVIDER, "operator": "Equal", "value": wk.PROVIDER, "effect": "NoSchedule"},
        # The controller-manager takes minutes to lift it from many new Nodes; our own taints protect them.
        {"key": wk.TAINT_NOT_READY, "operator": "Exists", "effect": "NoSchedule"},
        *(
            {
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": autonomy_seconds,
            }
            for key in (wk.TAINT_NOT_READY, wk.TAINT_UNREACHABLE)
        ),
    ]
