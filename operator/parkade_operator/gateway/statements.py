"""What the Node of a vehicle shall say, from what was judged; and what a Node that is there says already."""

from collections.abc import Iterable, Mapping

from parkade_api.wellknown import (
    ANNOTATION_QUARANTINED,
    GROUP,
    LABEL_BATCH_UID,
    LABEL_POOL,
    LABEL_VEHICLE,
    MOST_WHY,
    REFUSAL_PREFIX,
)
from parkade_core.kubelet.node import NodeDesire
from parkade_core.shown import shown
from parkade_core.vehicle.assess import Assessment
from parkade_core.vehicle.node import node_labels, slots_allocatable
from parkade_core.vehicle.verdict import advised
from parkade_operator.door.tls import Identity
from parkade_operator.kube.client import Object


def desire(
    identity: Identity,
    assessment: Assessment,
    pool: str | None,
    refused: Mapping[str, bool],
    standing: Iterable[str],
    *,
    is_held: bool,
) -> NodeDesire:
    """The whole of it. *refused* tells of each bundle's label whether it still counts, *is_held* forbids new slots.

    *standing* are the claims that the Node has: those that the vehicle has no more shall go.
    """
    labels = node_labels(identity.vehicle, identity.claims, pool)
    refusals = {label: "true" if counts else "" for label, counts in refused.items()}
    return NodeDesire(
        labels=dict.fromkeys(standing, "") | labels | refusals,
        verdicts=tuple(
            (
                verdict.condition.value,
                "Unknown" if verdict.is_blank else str(verdict.holds),
                (verdict.reason or verdict.condition).value,
                advised(verdict.message, verdict.remedy),
            )
            for verdict in assessment.verdicts
        ),
        taints=tuple((str(key), value, str(effect)) for key, value, effect in assessment.taints),
        allocatable=slots_allocatable(is_open=assessment.eligible and not is_held),
    )


def claims_on(node: Object | None) -> dict[str, str]:
    """The claims that a Node's labels state."""
    labels: dict[str, str] = (node["metadata"].get("labels") or {}) if node else {}
    return {
        key: value
        for key, value in labels.items()
        if key.startswith(f"{GROUP}/") and key not in (LABEL_VEHICLE, LABEL_POOL)
    }


def refusals_on(node: Object) -> list[str]:
    """The labels of bundles that the vehicle of a Node refused."""
    return [key for key in node["metadata"].get("labels") or {} if key.startswith(REFUSAL_PREFIX)]


def quarantine_on(node: Object | None) -> str:
    """Why the vehicle of a Node is not trusted, as an administrator wrote it there; empty when it is."""
    annotations: dict[str, str] = (node["metadata"].get("annotations") or {}) if node else {}
    why = annotations.get(ANNOTATION_QUARANTINED)
    return "" if why is None else shown(why, MOST_WHY) or "an administrator did not say why"


def batch_uid_of(pod: Object) -> str | None:
    """The batch of a pod. Anybody may bind a pod to a vehicle's Node, also one without labels."""
    return (pod["metadata"].get("labels") or {}).get(LABEL_BATCH_UID)
