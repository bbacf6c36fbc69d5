"""How many slots a batch has, and the ReplicaSet that holds them."""

import dataclasses
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parkade_core.batch.progress import BatchState, Progress
from parkade_core.batch.slots import (
    SPARE,
    SlotView,
    decide_slots,
    plan_slots,
    refusal_label,
    replica_set,
    replica_set_name,
)
from support.objects import DIGEST, UID, batch

_COUNTS = st.integers(0, 50)
_VIEWS = st.builds(
    SlotView,
    stopped=st.booleans(),
    shards_left=_COUNTS,
    parallelism=st.none() | st.integers(1, 50),
    eligible_vehicles=_COUNTS,
    running=_COUNTS,
    idle=_COUNTS,
    silent=_COUNTS,
)


def view(**changes: Any) -> SlotView:
    """A running batch with many shards, ten eligible vehicles and no slot yet, but for *changes*."""
    fields = {"stopped": False, "shards_left": 100, "parallelism": None, "eligible_vehicles": 10}
    return SlotView(**(fields | {"running": 0, "idle": 0, "silent": 0} | changes))


def pod_spec(**spec: object) -> Any:
    """The pod spec of a batch on pools `home` and `depot`."""
    return replica_set(batch(**spec), ["home", "depot"], 4, 900)["spec"]["template"]["spec"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "replicas"),
    [
        ({}, 10 + SPARE),
        ({"eligible_vehicles": 0}, SPARE),
        ({"shards_left": 3}, 3),
        ({"parallelism": 4}, 4),
        ({"parallelism": 400}, 10 + SPARE),
        ({"silent": 2}, 14),
        ({"silent": 2, "parallelism": 4}, 6),
        ({"running": 12, "eligible_vehicles": 3}, 12),
        ({"running": 12, "eligible_vehicles": 3, "idle": 4}, 8),
        ({"running": 12, "eligible_vehicles": 3, "idle": 9}, 5),
        ({"running": 12, "shards_left": 1, "idle": 10}, 2),
        ({"running": 3, "silent": 2, "shards_left": 1}, 5),
        ({"stopped": True, "running": 12, "silent": 3}, 0),
        ({"shards_left": 0, "running": 12}, 0),
    ],
)
def test_the_number_of_slots(changes: dict[str, Any], replicas: int) -> None:
    """Wanted is the least of shards, parallelism and vehicles and a few; silent slots come on top; idle ones go."""
    assert decide_slots(view(**changes)).replicas == replicas


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"silent": 2}, "12 wanted and 2 on silent vehicles"),
        ({"running": 12, "shards_left": 5}, "12 slots may hold shards; 5 are wanted"),
        ({"stopped": True}, "the batch is suspended or has no shard left"),
    ],
)
def test_a_decision_says_why(changes: dict[str, Any], reason: str) -> None:
    """The number comes with the sentence that is logged."""
    assert decide_slots(view(**changes)).reason == reason


@given(_VIEWS)
def test_a_slot_with_a_shard_is_never_taken_away(seen: SlotView) -> None:
    """A running batch never falls below the slots that are not idle, and always has room for the silent ones."""
    decided = decide_slots(seen).replicas
    if seen.stopped or seen.shards_left == 0:
        assert decided == 0
    else:
        assert decided >= seen.running - seen.idle + seen.silent
        assert decided > seen.silent


@given(_VIEWS)
def test_growth_keeps_every_limit(seen: SlotView) -> None:
    """Beyond what may hold shards already, no limit is passed."""
    assume(not seen.stopped and seen.shards_left)
    decided = decide_slots(seen).replicas
    if decided > seen.running - seen.idle + seen.silent:
        limits = [seen.shards_left, seen.eligible_vehicles + SPARE, seen.parallelism or seen.shards_left]
        assert decided - seen.silent <= min(limits)


def test_the_replica_set_is_owned_by_its_batch() -> None:
    """Deleting the batch deletes its slots; selector and template agree."""
    made = replica_set(batch(), ["home"], 4, 900)
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == (
        "InferenceBatch",
        "docs",
        UID,
        True,
    )
    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == ("docs-0b5e4f0c", "team")
    assert made["spec"]["replicas"] == 4
    assert (
        made["spec"]["selector"]["matchLabels"].items()
        <= made["spec"]["template"]["metadata"]["labels"].items()
    )
    assert made["spec"]["template"]["metadata"]["annotations"] == {"parkade.dev/bundle-digest": DIGEST}


@pytest.mark.parametrize(
    ("name", "stem", "labelled"),
    [
        ("docs", "docs", True),
        ("d" * 63, "d" * 50, True),
        ("d" * 64, "d" * 50, False),
        ("d" * 48 + ".-x" + "d" * 200, "d" * 48, False),
    ],
)
def test_long_names_still_make_valid_objects(name: str, stem: str, *, labelled: bool) -> None:
    """A name may be longer than a label or a pod's name can hold; the uid always finds the slots."""
    made = replica_set(batch(name), ["home"], 1, 900)
    assert made["metadata"]["name"] == replica_set_name(batch(name)) == f"{stem}-0b5e4f0c"
    labels = made["metadata"]["labels"]
    assert labels == {"parkade.dev/batch-uid": UID} | ({"parkade.dev/batch": name} if labelled else {})


def test_slots_are_bound_to_willing_vehicles_of_the_pools() -> None:
    """Affinity asks for the pools and avoids vehicles that refuse this bundle."""
    required = pod_spec()["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": "parkade.dev/pool", "operator": "In", "values": ["depot", "home"]},
        {"key": "refuses.parkade.dev/" + "ab" * 16, "operator": "DoesNotExist"},
    ]
    assert len(refusal_label(DIGEST).rpartition("/")[2]) <= 63


def test_slots_tolerate_silence_and_nothing_that_protects_the_driver() -> None:
    """A silent vehicle keeps its slot for the pool's autonomy; our own taints are tolerated by no slot."""
    tolerations = pod_spec()["tolerations"]
    rows = {(t["key"], t["effect"]): t.get("tolerationSeconds") for t in tolerations}
    assert rows == {
        ("virtual-kubelet.io/provider", "NoSchedule"): None,
        ("node.kubernetes.io/not-ready", "NoSchedule"): None,
        ("node.kubernetes.io/not-ready", "NoExecute"): 900,
        ("node.kubernetes.io/unreachable", "NoExecute"): 900,
    }


def test_a_slot_takes_the_vehicle_and_no_credential() -> None:
    """One slot a vehicle, the sidecar before the runner, no ServiceAccount token."""
    spec = pod_spec()
    (sidecar,), (runner,) = spec["initContainers"], spec["containers"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("sidecar", "Always")
    assert runner["resources"]["limits"] == runner["resources"]["requests"] == {"parkade.dev/slot": "1"}
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"]) == ("Always", False)


RUNNING = Progress(BatchState.RUNNING, shards_total=20, shards_committed=5, slots_running=1)


def planned(
    current: Any, progress: Progress | None = RUNNING, pools: tuple[str, ...] = ("home",), **spec: Any
) -> Any:
    """The change to the ReplicaSet *current* of a batch with two free vehicles."""
    return plan_slots(batch(**spec), pools, 900, (progress, 2, current))


def test_a_replica_set_is_made_and_then_left_alone() -> None:
    """Applied once, it is right until something changes; what the API server adds does not count as a change."""
    change = planned(None)
    assert (change.is_whole, change.replicas) == (True, 1 + 2 + SPARE)
    stands = {**change.body, "spec": change.body["spec"] | {"minReadySeconds": 0}}
    assert planned(stands) is None
    assert planned(stands, dataclasses.replace(RUNNING, slots_running=4)).replicas == 4 + 2 + SPARE


def test_a_slot_that_starts_keeps_its_place() -> None:
    """A vehicle whose slot starts is neither free nor running yet; it counts, or starting would undo itself."""
    starting = dataclasses.replace(RUNNING, slots_running=0, slots_starting=9)
    assert planned(None, starting).replicas == 9 + 2 + SPARE


def test_a_batch_whose_pools_change_gets_another_template() -> None:
    """New slots are bound to the pools as they are now; also when a pool has gone."""
    stands = planned(None, pools=("home", "depot")).body
    change = planned(stands, pools=("home",))
    affinity = change.body["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == ["home"]


@pytest.mark.parametrize(
    ("progress", "spec"),
    [
        (RUNNING, {"suspend": True}),
        (Progress(BatchState.PLANNING), {"suspend": True}),
        (Progress(BatchState.FINALIZING, shards_total=20, shards_committed=20), {}),
        (Progress(BatchState.FAILED), {}),
    ],
)
def test_a_batch_that_stops_is_scaled_to_nothing(progress: Progress, spec: dict[str, Any]) -> None:
    """Only the number is written, so it needs no pool; without a ReplicaSet nothing is."""
    stands = planned(None).body
    change = planned(stands, progress, pools=(), **spec)
    assert (change.is_whole, change.body) == (False, {"spec": {"replicas": 0}})
    assert planned({"spec": {"replicas": 0}}, progress, **spec) is None
    assert planned(None, progress, **spec) is None


def test_nothing_is_decided_without_knowledge() -> None:
    """While the gateway has not reported, or plans (again), or every pool is missing, the ReplicaSet stays as it is."""
    stands = planned(None).body
    assert planned(stands, None) is None
    assert planned(stands, None, suspend=True) is None
    assert planned(stands, Progress(BatchState.PLANNING)) is None
    assert planned(stands, RUNNING, pools=()) is None
