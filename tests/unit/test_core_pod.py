"""A slot's pod: what the kubelet does about it, and the status that kubectl shows."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_core.kubelet.pod import NOT_STARTED, ContainerView, PodView, decide
from parkade_core.patches import covers
from parkade_core.vehicle.pod import pod_status, refusal, slot_rules, standing
from support.objects import BORN, LATER, Object, patched, slot_pod

WAITING = ContainerView(phase="Waiting", reason="ContainerCreating")
UP = ContainerView(phase="Running", ready=True, started_at=BORN)
IDLE = ContainerView(phase="Running", ready=False, started_at=BORN)
CRASHED = ContainerView(
    phase="Terminated", reason="Error", message="segfault", exit_code=139, started_at=BORN, finished_at=LATER
)
ENDED = PodView({"sidecar": UP, "runner": UP}, ended=True, reason="Driving", message="IsMoving is true")

_TIMES = st.sampled_from(["", BORN, LATER])
_CONTAINERS = st.builds(
    ContainerView,
    phase=st.sampled_from(["Waiting", "Running", "Terminated"]),
    reason=st.sampled_from(["", "Error", "Completed"]),
    message=st.sampled_from(["", "a word"]),
    exit_code=st.sampled_from([0, 1, 137]),
    ready=st.booleans(),
    started_at=_TIMES,
    finished_at=_TIMES,
    restarts=st.integers(0, 3),
)
_VIEWS = st.builds(
    PodView,
    containers=st.dictionaries(st.sampled_from(["sidecar", "runner"]), _CONTAINERS),
    ended=st.booleans(),
    reason=st.sampled_from(["", "Driving"]),
    message=st.sampled_from(["", "IsMoving is true"]),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "a", "b"]),
    lambda part: st.dictionaries(st.sampled_from("xyz"), part, max_size=3) | st.lists(part, max_size=3),
    max_leaves=8,
)


def strange_pod(**changes: object) -> Object:
    """A pod that is no slot: one container, from somebody else's image."""
    pod = slot_pod()
    pod["spec"] |= {"initContainers": None, "containers": [{"name": "web", "image": "nginx:1"} | changes]}
    return pod


def conditions(status: Object) -> dict[str, str]:
    """Type to status of the conditions in a patch."""
    return {item["type"]: item["status"] for item in status["status"]["conditions"]}


@pytest.mark.parametrize(
    ("pod", "deleting", "view", "action"),
    [
        (slot_pod(), False, NOT_STARTED, "Run"),
        (slot_pod(), False, PodView({"runner": UP, "sidecar": UP}), "Run"),
        (slot_pod(), False, ENDED, "Conclude"),
        (slot_pod(), True, NOT_STARTED, "Stop"),
        (slot_pod(), True, PodView({"runner": UP, "sidecar": UP}), "Stop"),
        (slot_pod(), True, ENDED, "Remove"),
        (strange_pod(), False, NOT_STARTED, "Refuse"),
        (strange_pod(), False, ENDED, "Refuse"),
        (strange_pod(), True, NOT_STARTED, "Remove"),
        (strange_pod(), True, ENDED, "Remove"),
    ],
)
def test_what_is_done_about_a_pod(pod: Object, deleting: bool, view: PodView, action: str) -> None:  # noqa: FBT001 - a table
    """Deletion waits for the vehicle's processes; a pod that no vehicle runs never waits."""
    pod = pod | {"metadata": pod["metadata"] | ({"deletionTimestamp": LATER} if deleting else {})}
    assert decide(pod, view, refused=refusal(pod) is not None) == action


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "container web has image nginx:1; a vehicle runs only sidecar (parkade/sidecar) and runner "),
        ({"name": "runner", "image": "parkade/runner"}, "container runner has image parkade/runner;"),
        ({"name": "runner", "image": "evil/parkade/runner:1"}, "container runner has image evil/"),
        ({"name": "runner", "image": "parkade/sidecar:1"}, "container runner has image parkade/sidecar:1;"),
        ({"name": "runner", "image": "parkade/runner:1"}, "a slot has exactly one runner and one sidecar"),
    ],
)
def test_a_refusal_says_what_a_vehicle_runs(changes: Object, sentence: str) -> None:
    """Only the two built-in programs under their own names are a slot, and the sentence names the offender."""
    assert (refusal(strange_pod(**changes)) or "").startswith(sentence)


def test_a_slot_of_a_batch_is_not_refused() -> None:
    """What the operator makes is what a vehicle runs; a second runner is not."""
    pod = slot_pod()
    assert refusal(pod) is None
    pod["spec"]["containers"] *= 2
    assert refusal(pod) == "a slot has exactly one runner and one sidecar"


@pytest.mark.parametrize("labels", [{}, {"labels": {}}, {"labels": {"app": "mine"}}])
def test_a_slot_of_no_batch_is_refused(labels: Object) -> None:
    """Whoever makes a pod by hand may leave its labels out."""
    pod = slot_pod()
    del pod["metadata"]["labels"]
    pod["metadata"] |= labels
    assert "parkade.dev/batch-uid does not say which batch" in (refusal(pod) or "")


def test_a_refused_pod_stays_pending() -> None:
    """A ReplicaSet would replace a failed pod at once and for ever."""
    assert slot_rules("127.0.0.1").refused_status("why")["status"] == {
        "phase": "Pending",
        "reason": "NotForVehicles",
        "message": "why",
    }


@pytest.mark.parametrize(
    ("view", "phase", "truths"),
    [
        (NOT_STARTED, "Pending", "FFF"),
        (PodView({"sidecar": WAITING, "runner": WAITING}), "Pending", "FFF"),
        (PodView({"sidecar": UP, "runner": WAITING}), "Pending", "TFF"),
        (PodView({"sidecar": UP, "runner": UP}), "Running", "TTT"),
        (PodView({"sidecar": UP, "runner": IDLE}), "Running", "TFF"),
        (PodView({"sidecar": IDLE, "runner": UP}), "Running", "TFF"),
        (PodView({"sidecar": UP, "runner": ContainerView("Waiting", restarts=1)}), "Running", "TFF"),
        (PodView({"sidecar": CRASHED, "runner": UP}), "Running", "FFF"),
        (ENDED, "Failed", "TFF"),
    ],
)
def test_phase_and_readiness(view: PodView, phase: str, truths: str) -> None:
    """A slot runs when its runner does, and is ready when both containers are and it has not ended."""
    status = pod_status(slot_pod(), view, "127.0.0.1", LATER)
    assert status["status"]["phase"] == phase
    expected = dict(zip(("Initialized", "ContainersReady", "Ready"), truths, strict=True))
    assert {kind: value[0] for kind, value in conditions(status).items()} == expected


def test_an_ended_pod_tells_why_its_containers_stopped() -> None:
    """A container that the vehicle killed is Terminated with the vehicle's reason; one that crashed keeps its own."""
    killed = replace(UP, restarts=2)
    view = PodView({"sidecar": CRASHED, "runner": killed}, ended=True, reason="Driving", message="it moves")
    status = pod_status(slot_pod(), view, "127.0.0.1", LATER)["status"]
    (runner,), (sidecar,) = status["containerStatuses"], status["initContainerStatuses"]
    assert (status["reason"], status["message"]) == ("Driving", "it moves")
    assert runner["state"]["terminated"] == {
        "exitCode": 137,
        "reason": "Driving",
        "message": "it moves",
        "startedAt": BORN,
        "finishedAt": None,
    }
    assert (runner["restartCount"], runner["ready"], runner["started"]) == (2, False, False)
    assert sidecar["state"]["terminated"]["exitCode"] == 139
    assert sidecar["state"]["terminated"]["reason"] == "Error"


def test_an_ended_pod_without_a_reason_still_has_one() -> None:
    """No container is shown as terminated without a word."""
    status = pod_status(slot_pod(), PodView({}, ended=True), "127.0.0.1", LATER)["status"]
    assert status["containerStatuses"][0]["state"]["terminated"]["reason"] == "Ended"


def test_the_run_before_is_shown_as_last_state() -> None:
    """A container that was restarted tells how it ended before."""
    view = PodView({"sidecar": UP, "runner": replace(UP, restarts=1, last=CRASHED)})
    status = pod_status(slot_pod(), view, "127.0.0.1", LATER)["status"]
    (runner,), (sidecar,) = status["containerStatuses"], status["initContainerStatuses"]
    assert runner["lastState"]["terminated"]["exitCode"] == 139
    assert "lastState" not in sidecar


def test_another_gateway_replaces_the_address_of_the_last() -> None:
    """The list of addresses merges by address, and two of one family are refused: it is replaced whole, once."""
    pod, view = slot_pod(), PodView({"sidecar": UP, "runner": UP})
    first = pod_status(pod, view, "10.0.0.1", LATER)["status"]
    assert first["hostIPs"] == [{"ip": "10.0.0.1"}]
    pod["status"] = first
    assert pod_status(pod, view, "10.0.0.1", LATER)["status"]["hostIPs"] == [{"ip": "10.0.0.1"}]
    second = pod_status(pod, view, "10.0.0.2", LATER)["status"]
    assert second["hostIP"] == "10.0.0.2"
    assert second["hostIPs"] == [{"$patch": "replace"}, {"ip": "10.0.0.2"}]


def test_the_status_is_for_this_pod_only() -> None:
    """The uid in the patch keeps it off a later pod of the same name."""
    assert pod_status(slot_pod(), NOT_STARTED, "127.0.0.1", LATER)["metadata"] == {"uid": "pod-1"}


@given(_VIEWS, _VIEWS)
def test_a_status_is_reported_once(before: PodView, view: PodView) -> None:
    """However the pod stood, the same view needs no second report at a later time, so reports cannot loop."""
    pod = patched(slot_pod(), pod_status(slot_pod(), before, "127.0.0.1", BORN))
    pod = patched(pod, pod_status(pod, view, "127.0.0.1", LATER))
    again = pod_status(pod, view, "127.0.0.1", "2026-01-02T00:00:00Z")
    assert covers(pod["status"], again["status"])


@given(_VIEWS, _VIEWS)
def test_a_transition_of_a_pod_is_a_change_of_status(before: PodView, view: PodView) -> None:
    """A condition's lastTransitionTime moves exactly with its status, and startTime never moves."""
    pod = patched(slot_pod(), pod_status(slot_pod(), before, "127.0.0.1", BORN))
    status = pod_status(pod, view, "127.0.0.1", LATER)["status"]
    had = {item["type"]: item["status"] for item in pod["status"]["conditions"]}
    for item in status["conditions"]:
        assert item["lastTransitionTime"] == (BORN if had[item["type"]] == item["status"] else LATER)
    assert status["startTime"] == BORN


@given(_JSON, _JSON)
def test_what_was_patched_is_covered(current: Any, patch: Any) -> None:
    """After a patch was applied, nothing of it is left to say."""
    assert covers(patched(current, patch), patch)


@pytest.mark.parametrize(
    ("current", "wanted", "covered"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({}, {"a": None}, True),
        ({"a": "x"}, {"a": None}, False),
        (None, {"a": {"b": ""}}, True),
        (
            {"c": [{"type": "A", "status": "True", "probe": 1}]},
            {"c": [{"type": "A", "status": "True"}]},
            True,
        ),
        ({"c": [{"type": "A", "status": "True"}]}, {"c": [{"type": "A", "status": "False"}]}, False),
        ({"c": []}, {"c": [{"type": "A"}]}, False),
    ],
)
def test_what_covers_means(current: Any, wanted: Any, covered: bool) -> None:  # noqa: FBT001 - a table
    """Fields that the patch does not name do not matter; absent and empty are the same."""
    assert covers(current, wanted) is covered


def test_a_list_of_plain_values_must_be_the_same() -> None:
    """A list that holds more than is wanted is another list; a list of objects may hold more."""
    assert covers({"values": ["a"]}, {"values": ["a"]})
    assert not covers({"values": ["a", "b"]}, {"values": ["a"]})
    assert covers({"conditions": [{"type": "A"}, {"type": "B"}]}, {"conditions": [{"type": "A"}]})


@pytest.mark.parametrize("runner", [WAITING, UP, IDLE])
def test_before_its_vehicle_speaks_a_slot_stands_as_it_was_written_down(runner: ContainerView) -> None:
    """A new gateway counts a slot as an earlier one left it, so that no restart takes a working slot for none."""
    pod = slot_pod()
    written = PodView({"sidecar": UP, "runner": runner})
    after = patched(pod, pod_status(pod, written, "127.0.0.1", BORN))
    seen = standing(after, NOT_STARTED).containers["runner"]
    assert (seen.phase, seen.ready) == (runner.phase, runner.ready)
    assert standing(after, ENDED) == ENDED
    assert standing(pod, NOT_STARTED) == NOT_STARTED
