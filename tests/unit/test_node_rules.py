"""The process node's decisions: what it refuses, what it tells programs, when it starts them again."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_core.kubelet.pod import NOT_STARTED, ContainerView, PodView
from parkade_core.patches import covers
from parkade_hack.node.environment import container_environment, expand, field, localised
from parkade_hack.node.objects import NotThere, Ref, references
from parkade_hack.node.quantity import in_bytes
from parkade_hack.node.refusal import refusal
from parkade_hack.node.restarts import Ending, Streak, ending_of, verdict, wait_before_restart
from parkade_hack.node.status import pod_ip, pod_status
from support.objects import BORN, LATER, Object, patched
from support.pods import IMAGE, pod

MOUNTS = {"/data": "/run/a", "/data/deep": "/run/b", "/cache": "/run/c"}
UP = ContainerView(phase="Running", ready=True, started_at=BORN, runtime_id="process://7")
DONE = ContainerView(phase="Terminated", reason="Completed", exit_code=0)
CRASHED = ContainerView(phase="Terminated", reason="Error", exit_code=2)
BACK_OFF = ContainerView(phase="Waiting", reason="CrashLoopBackOff", last=CRASHED)


def bound(**changes: object) -> Object:
    """A pod as the API server holds it, bound to the process node."""
    made = pod("web", "", changes)
    meta = {"namespace": "team", "uid": "pod-1", "generation": 1, "annotations": {"note": "n"}}
    return made | {"metadata": made["metadata"] | meta, "spec": made["spec"] | {"nodeName": "process-node"}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"image": "nginx:1"}, "container main: image nginx:1 is none of parkade/agent"),
        ({"image": "parkade/operator:0.0.0"}, "container main: image parkade/operator:0.0.0 is none of"),
        ({"command": None}, "container main: command '' is not the plain name of a program"),
        ({"command": ["/bin/sh"]}, "container main: command '/bin/sh' is not the plain name"),
        ({"livenessProbe": {"exec": {}}}, "container main: livenessProbe is not httpGet"),
        (
            {"startupProbe": {"httpGet": {"port": "web"}}},
            "container main: startupProbe asks port web, which is",
        ),
        ({"env": [{"name": "N", "valueFrom": {"resourceFieldRef": {}}}]}, "container main: variable N comes"),
        ({"lifecycle": {"preStop": {}}}, "container main: lifecycle hooks"),
    ],
)
def test_a_refusal_names_what_cannot_be_kept(changes: Object, sentence: str) -> None:
    """A pod that asks for what a process cannot have is refused, not run half."""
    assert (refusal(bound(**changes)) or "").startswith(sentence)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"initContainers": [{}]}, "the process node runs no init containers"),
        ({"volumes": [{"name": "v", "nfs": {}}]}, "volume v: nfs is not among"),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"clusterTrustBundle": {}}]}}]},
            "volume v: clusterTrustBundle cannot be projected",
        ),
    ],
)
def test_a_refusal_covers_the_whole_pod(spec: Object, sentence: str) -> None:
    """Volumes and init containers count as much as containers."""
    made = bound()
    assert refusal(made) is None
    assert (refusal(made | {"spec": made["spec"] | spec}) or "").startswith(sentence)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [("$(A)", "1"), ("$(A)$(B)", "1$(B)"), ("$$(A)", "$(A)"), ("$$5", "$5"), ("$A", "$A"), ("", "")],
)
def test_expansion_is_that_of_kubernetes(text: str, expanded: str) -> None:
    """Known names are replaced, unknown ones stay, a doubled dollar is a plain one."""
    assert expand(text, {"A": "1"}) == expanded


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("/data", "/run/a"),
        ("/data/x", "/run/a/x"),
        ("/data/deep/x", "/run/b/x"),
        ("/database", "/database"),
        ("file:///data/store", "file:///run/a/store"),
        ("--folder=/data", "--folder=/run/a"),
        ("/data:/data/deep", "/run/a:/run/b"),
        ("open('/data/x')", "open('/run/a/x')"),
        ("s3://data/data", "s3://data/data"),
        ("https://host/data", "https://host/data"),
        ("/var/data", "/var/data"),
        ("/cache/x", "/run/c/x"),
    ],
)
def test_only_whole_mount_paths_are_replaced(text: str, local: str) -> None:
    """The longest mount path that begins a path is replaced, once; whatever looks like it otherwise is left."""
    assert localised(text, MOUNTS) == local


@given(st.text())
def test_nothing_is_replaced_without_mounts(text: str) -> None:
    """A container without volumes is told exactly what its pod says."""
    assert localised(text, {}) == text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['note']", "n"),
        ("metadata.labels['other']", ""),
        ("metadata.labels", 'app="web"'),
        ("spec.nodeName", "process-node"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "127.1.2.3"),
        ("status.hostIP", "127.0.0.1"),
    ],
)
def test_fields_of_the_downward_api(path: str, value: str) -> None:
    """A program learns of its pod what the pod's spec asks for."""
    assert field(bound(), path, "127.1.2.3", "127.0.0.1") == value


def test_a_missing_key_is_waited_for_unless_it_is_optional() -> None:
    """A required key holds the start up in words, an optional one is left out; both objects are followed."""
    required = {"secretKeyRef": {"name": "word", "key": "k"}}
    optional = {"configMapKeyRef": {"name": "map", "key": "k", "optional": True}}
    made = bound(env=[{"name": "A", "valueFrom": required}, {"name": "B", "valueFrom": optional}])
    word, entries = Ref("secrets", "team", "word"), Ref("configmaps", "team", "map")
    assert references(made) == {word, entries}
    objects: dict[Ref, Object | None] = {word: {"data": {"other": ""}}, entries: None}
    (container,) = made["spec"]["containers"]
    with pytest.raises(NotThere, match=r"^secret word has no key k$"):
        container_environment(made, container, objects.__getitem__, "", "")
    objects[word] = {"data": {"k": base64.b64encode(b"hush").decode()}}
    assert container_environment(made, container, objects.__getitem__, "", "") == {"A": "hush"}


@pytest.mark.parametrize(
    ("policy", "code", "lived", "waited", "wait"),
    [
        ("Always", 0, 1.0, 0.0, 1.0),
        ("Always", 1, 1.0, 1.0, 2.0),
        ("Always", 1, 1.0, 16.0, 30.0),
        ("Always", 1, 60.0, 16.0, 1.0),
        ("OnFailure", 1, 1.0, 0.0, 1.0),
        ("OnFailure", 0, 1.0, 0.0, None),
        ("Never", 1, 1.0, 0.0, None),
    ],
)
def test_waits_before_a_restart(
    policy: str, code: int, lived: float, waited: float, wait: float | None
) -> None:
    """Waits double from one second to half a minute; a minute of life begins them anew."""
    assert wait_before_restart(policy, code, lived, waited) == wait


@pytest.mark.parametrize(
    ("returncode", "oom", "ending"),
    [
        (0, False, Ending(0, "Completed")),
        (2, False, Ending(2, "Error")),
        (-15, False, Ending(143, "Error")),
        (-9, False, Ending(137, "Error")),
        (-9, True, Ending(137, "OOMKilled")),
    ],
)
def test_an_ending_has_a_code_and_a_word(returncode: int, oom: bool, ending: Ending) -> None:  # noqa: FBT001 - a table
    """A signal counts as 128 and its number, as in a container."""
    assert ending_of(returncode, out_of_memory=oom) == ending


def test_a_probe_speaks_after_its_threshold() -> None:
    """Three failures in a row say no, one success says yes, and a change of mind counts from one."""
    streak, said = Streak(), []
    for outcome in (False, False, True, False, False, False):
        streak = streak.then(outcome=outcome)
        said.append(verdict({"failureThreshold": 3}, streak))
    assert said == [None, None, True, None, None, False]


@pytest.mark.parametrize(
    ("view", "phase", "ready"),
    [
        (NOT_STARTED, "Pending", False),
        (PodView({"main": UP}), "Running", True),
        (PodView({"main": CRASHED}), "Running", False),
        (PodView({"main": BACK_OFF}), "Running", False),
        (PodView({"main": DONE}, ended=True), "Succeeded", False),
        (PodView({"main": CRASHED}, ended=True), "Failed", False),
        (PodView({"main": BACK_OFF}, ended=True), "Failed", False),
        (PodView({}, ended=True), "Failed", False),
    ],
)
def test_phase_and_readiness_of_a_process_pod(view: PodView, phase: str, ready: bool) -> None:  # noqa: FBT001 - a table
    """A pod runs while a container does or will again; it has succeeded when all ended well."""
    patch = pod_status(bound(), view, LATER)
    status = patch["status"]
    assert (status["phase"], status["podIP"]) == (phase, pod_ip(bound()))
    assert [item["status"] for item in status["conditions"] if item["type"] == "Ready"] == [str(ready)]
    assert "waiting" not in status["containerStatuses"][0]["state"] or phase in ("Pending", "Running")
    assert covers(
        patched(bound(), patch)["status"], pod_status(patched(bound(), patch), view, BORN)["status"]
    )


@given(st.uuids())
def test_every_pod_has_a_loopback_address_of_its_own(uid: object) -> None:
    """It is never the host's 127.0.0.1, and no address of a network or broadcast."""
    first, second, third, fourth = map(int, pod_ip({"metadata": {"uid": str(uid)}}).split("."))
    assert first == 127
    assert 1 <= second <= 254
    assert 0 <= third <= 255
    assert 1 <= fourth <= 254


@pytest.mark.parametrize(
    ("quantity", "size"), [("1", 1), ("1k", 1000), ("512Mi", 536870912), ("1.5Gi", 1610612736)]
)
def test_quantities_of_memory(quantity: str, size: int) -> None:
    """Decimal and binary units differ."""
    assert in_bytes(quantity) == size


def test_a_wrong_quantity_is_an_error() -> None:
    """What is no quantity is not taken for none."""
    with pytest.raises(ValueError, match="lots is no quantity"):
        in_bytes("lots")


def test_the_image_of_the_tests_is_ours() -> None:
    """The version of the installed package is the tag."""
    assert refusal(bound(image=IMAGE)) is None
