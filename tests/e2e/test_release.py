"""`helm install` to `helm uninstall`: pods of the chart under their own ServiceAccounts, and nothing is lost."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from parkade_api.wellknown import GATEWAY, LABEL_LEADER, OPERATOR, SYSTEM_NAMESPACE
from parkade_hack import proc
from parkade_hack.controlplane import ControlPlane
from parkade_hack.release import Release, leftovers
from support.batches import Garage, long_documents
from support.commit_log import assert_committed_once
from support.controlplane import eventually
from support.releases import SIMULATED, VALUES, holder, programs_of, refused, requests

pytestmark = [pytest.mark.long(145), pytest.mark.timeout(600)]

TAKEOVER_SECONDS = 20.0
UNINSTALLED_SECONDS = 90.0
PEOPLE = {"kubectl", "Helm", "Python-urllib"}


def finish(release: Release, garage: Garage, name: str) -> None:
    """Waits for a batch and checks its results: byte-equal by the independent proof, every shard committed once."""
    shards = garage.wait_for(name, "Completed", 240)["shards"]["total"]
    proof = garage.prove(name)
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert_committed_once(release.platform_store, garage.uid(name), shards)


def test_a_rollout_in_the_middle_of_a_batch_loses_and_doubles_nothing(
    release: Release, garage: Garage, control_plane: ControlPlane
) -> None:
    """`helm test` passes; an upgrade with a changed value replaces operator and gateway while vehicles compute."""
    begun = len(requests(control_plane.audit_log))
    assert "Succeeded" in release.test()
    garage.kubectl.apply(garage.batch("docs", long_documents(300)))
    garage.wait_for_commits("docs", 3)
    before = {component: set(release.pods(component)) for component in ("operator", "gateway")}
    rolled = {"podAnnotations": {"example.com/rolled": garage.region}}
    release.upgrade(VALUES | {name: VALUES[name] | rolled for name in before})
    for component, pods in before.items():
        assert not pods & set(release.pods(component))
    finish(release, garage, "docs")
    history = requests(control_plane.audit_log)
    assert not refused(history[begun:])
    assert programs_of(history, "parkade-local-admin") <= PEOPLE


def test_another_replica_leads_when_a_leader_is_gone(release: Release, garage: Garage) -> None:
    """The leaders' pods are deleted without grace; both standbys lead within 20 s and the batch goes on."""
    kubectl = garage.kubectl
    garage.kubectl.apply(garage.batch("docs", long_documents(200)))
    garage.wait_for_commits("docs", 2)
    before = {lease: holder(kubectl, lease) for lease in (OPERATOR, GATEWAY)}
    begun = time.monotonic()
    kubectl(
        "delete",
        "pod",
        *before.values(),
        "-n",
        SYSTEM_NAMESPACE,
        "--force",
        "--grace-period=0",
        "--wait=false",
    )
    for lease, pod in before.items():
        eventually(_is_other(lambda lease=lease: holder(kubectl, lease), pod), 60, f"{lease} is led")  # type: ignore[misc]
    assert time.monotonic() - begun <= TAKEOVER_SECONDS
    leader = f"{LABEL_LEADER}=true"
    eventually(
        lambda: (
            kubectl("get", "pods", "-n", SYSTEM_NAMESPACE, "-l", leader, "-o", "name").split()
            == [f"pod/{holder(kubectl, GATEWAY)}"]
        ),
        10,
        "the Service has the new leader alone",
    )
    finish(release, garage, "docs")


def _is_other(look: Callable[[], str], than: str) -> Callable[[], bool]:
    return lambda: look() not in ("", than)


def test_an_uninstalled_release_leaves_nothing_and_comes_back(
    release: Release, garage: Garage, control_plane: ControlPlane
) -> None:
    """Also when the operators were killed first; users keep what is theirs, and a new release takes it up again."""
    garage.kubectl.apply(garage.batch("docs", long_documents(40)))
    finish(release, garage, "docs")
    for pod in release.pods("operator"):
        os.kill(release.pod_pid(pod), signal.SIGKILL)
    processes = set(proc.descendants(release.node.pid))
    assert "kept" in release.uninstall()
    eventually(lambda: not leftovers(garage.kubectl), UNINSTALLED_SECONDS, "nothing of the release is left")
    eventually(lambda: not any(map(proc.is_alive, processes)), 30, "no process of it is left")
    resources = garage.kubectl.read("vehiclepools,inferencebatches", "--all-namespaces")["items"]
    assert not [item for item in resources if item["metadata"].get("finalizers")]
    assert garage.status("docs")["phase"] == "Completed"
    begun = len(requests(control_plane.audit_log))
    release.install(VALUES)
    eventually(lambda: garage.pool_status("vehicles").get("eligible") == SIMULATED, 60, "vehicles are back")
    garage.kubectl.apply(garage.batch("more", long_documents(40)))
    finish(release, garage, "more")
    assert not refused(requests(control_plane.audit_log)[begun:])
