"""The local control plane is a real one, and nothing of it outlives its parent."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from parkade_hack import proc
from parkade_hack.controlplane import Kubectl, KubectlError
from support.controlplane import eventually

PROGRAMS = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
OPERATOR = "system:serviceaccount:parkade-system:parkade-operator"
GATEWAY = "system:serviceaccount:parkade-system:parkade-gateway"


def test_stock_controllers_and_scheduler_work(kubectl: Kubectl, namespace: str) -> None:
    """A ReplicaSet gets its pod, and the scheduler says why the pod has no Node."""
    labels = {"app": "pause"}
    kubectl.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": "pause", "namespace": namespace},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [{"name": "pause", "image": "pause"}],
                        "nodeSelector": {"kubernetes.io/hostname": "nowhere"},
                    },
                },
            },
        }
    )

    def reasons() -> set[str]:
        pods = kubectl.read("pods", "--namespace", namespace)["items"]
        return {c.get("reason", "") for pod in pods for c in pod["status"].get("conditions", ())}

    eventually(lambda: "Unschedulable" in reasons(), 30, "the scheduler refuses the pod")


def test_a_look_sees_what_kubectl_reads(kubectl: Kubectl, namespace: str) -> None:
    """One object by its name, none of that name, those with a label, and the API server's no."""
    name = {"name": "here", "namespace": namespace, "labels": {"of": "looks"}}
    kubectl.apply({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": name})
    uid = kubectl.read("lease", "here", "--namespace", namespace)["metadata"]["uid"]
    assert kubectl.look("leases", "here", namespace=namespace)["metadata"]["uid"] == uid
    assert kubectl.look("leases", "gone", namespace=namespace) is None
    (found,) = kubectl.look("leases", namespace=namespace, labels="of=looks")["items"]
    assert found["metadata"]["uid"] == uid
    assert kubectl.look("leases", namespace=namespace, labels="of=others")["items"] == []
    with pytest.raises(KubectlError, match=r"looking at leases .*400: found"):
        kubectl.look("leases", labels="=")


@pytest.mark.parametrize(
    ("who", "verb", "resource", "answer"),
    [
        (OPERATOR, "patch", "inferencebatches/status", "yes"),
        (OPERATOR, "create", "replicasets", "yes"),
        (OPERATOR, "get", "nodes", "no"),
        (OPERATOR, "get", "secrets", "no"),
        (OPERATOR, "patch", "inferencebatches", "no"),
        (GATEWAY, "patch", "nodes/status", "yes"),
        (GATEWAY, "delete", "pods", "yes"),
        (GATEWAY, "create", "pods", "no"),
        (GATEWAY, "get", "secrets", "no"),
        (GATEWAY, "patch", "vehiclepools/status", "no"),
    ],
)
def test_each_process_may_do_its_own_work_only(
    kubectl: Kubectl, who: str, verb: str, resource: str, answer: str
) -> None:
    """RBAC grants operator and gateway what they write and nothing beyond."""
    kind, _, part = resource.partition("/")
    asked = kubectl.run(
        "auth", "can-i", verb, kind, f"--subresource={part}", f"--as={who}", "--all-namespaces"
    )
    assert asked.stdout.strip() == answer


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "Ctrl-C"])
def test_nothing_outlives_the_parent(tmp_path: Path, how: signal.Signals) -> None:
    """When the process that started the control plane is killed or interrupted, all programs end."""
    command = [sys.executable, "-m", "parkade_hack.controlplane", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().strip() == str(tmp_path / "kubeconfig")
        programs = proc.descendants(parent.pid)
        assert {Path(proc.command_line(pid)[0]).name for pid in programs} == PROGRAMS
        parent.send_signal(how)
        eventually(lambda: not any(map(proc.is_alive, programs)), 60, "every program has ended")
    assert parent.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 0)
