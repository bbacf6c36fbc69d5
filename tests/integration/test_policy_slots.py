"""What the operator may do to ReplicaSets, asked with its own token: write slots of a batch, and no other pods."""

from collections.abc import Iterator
from typing import Any

import pytest

from parkade_api import wellknown as wk
from parkade_api.v1alpha1 import InferenceBatch
from parkade_core.batch.slots import replica_set
from parkade_hack.controlplane import ControlPlane
from support.asking import Asker
from support.controlplane import eventually
from support.objects import batch, batch_object, patched

Object = dict[str, Any]
SPACE = "slots-policy"
SETS = f"/apis/apps/v1/namespaces/{SPACE}/replicasets"
CONTROLLED = "must control the ReplicaSet"
IMAGES = "no images but"
ACCOUNT = "no ServiceAccount"
ELSEWHERE = "no volumes, and no variables from elsewhere"
HOST = "no part in its host"


def slots(name: str, spec: Object | None = None, owners: Object | None = None) -> Object:
    """A ReplicaSet as the operator writes it, with other parts of its pods' *spec* and other *owners*."""
    made = replica_set(batch(), ["home"], 0, 60)
    meta = {"name": name, "namespace": SPACE} | (owners or {})
    return patched(made, {"metadata": meta, "spec": {"template": {"spec": spec or {}}}})


def runner(**container: object) -> Object:
    """The part of a pod's spec with a container that differs."""
    return {"containers": [{"name": "runner", "image": "parkade/runner:1"} | container]}


def secret_variable() -> Object:
    """The variable by which a container would read a Secret of its namespace."""
    return {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}


SCALE = {"spec": {"replicas": 1}}
OTHERS_OWN = {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}]}
ADOPTION = {"metadata": {"ownerReferences": slots("x")["metadata"]["ownerReferences"]}}
SLOT_WORK = [
    ("APPLY", "new", slots("new")),
    ("APPLY", "new", slots("new", runner(securityContext={"allowPrivilegeEscalation": False}))),
    ("PATCH", "slots", SCALE),
    ("GET", "slots", None),
]
SLOT_ABUSES: list[tuple[str, str, Object | None, str]] = [
    ("APPLY", "new", slots("new", owners={"ownerReferences": []}), CONTROLLED),
    ("APPLY", "new", slots("new", owners=OTHERS_OWN), CONTROLLED),
    ("PATCH", "foreign", SCALE, CONTROLLED),
    ("PATCH", "foreign", ADOPTION, CONTROLLED),
    ("PATCH", "slots", {"metadata": {"ownerReferences": None}}, CONTROLLED),
    ("APPLY", "new", slots("new", runner(image="evil:1")), IMAGES),
    ("APPLY", "new", slots("new", {"initContainers": [{"name": "a", "image": "parkade/agent:1"}]}), IMAGES),
    ("PATCH", "slots", {"spec": {"template": {"spec": runner(image="parkade/runner-x:1")}}}, IMAGES),
    ("APPLY", "new", slots("new", {"automountServiceAccountToken": True}), ACCOUNT),
    ("APPLY", "new", slots("new", {"automountServiceAccountToken": None}), ACCOUNT),
    ("APPLY", "new", slots("new", {"serviceAccountName": "admin"}), ACCOUNT),
    ("APPLY", "new", slots("new", {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}), ELSEWHERE),
    ("APPLY", "new", slots("new", runner(env=[secret_variable()])), ELSEWHERE),
    ("APPLY", "new", slots("new", runner(envFrom=[{"secretRef": {"name": "s"}}])), ELSEWHERE),
    ("APPLY", "new", slots("new", {"hostNetwork": True}), HOST),
    ("APPLY", "new", slots("new", {"hostPID": True}), HOST),
    ("APPLY", "new", slots("new", runner(securityContext={"allowPrivilegeEscalation": True})), HOST),
    ("APPLY", "new", slots("new", runner(securityContext={"capabilities": {"add": ["X"]}})), HOST),
    ("DELETE", "slots", None, "cannot"),
]


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane) -> Iterator[Asker]:
    """The operator's ServiceAccount, with slots of a suspended batch and a ReplicaSet of somebody else."""
    kubectl = control_plane.kubectl
    kubectl("create", "namespace", SPACE)
    meta = {"name": "policy", "namespace": SPACE}
    wanted = batch_object(suspend=True) | {"metadata": meta, "apiVersion": wk.API_VERSION}
    kubectl.apply(wanted | {"kind": "InferenceBatch"})
    made = InferenceBatch.model_validate(kubectl.read("inferencebatch", "policy", "-n", SPACE))
    ours = replica_set(made, ["home"], 0, 60)
    ours["metadata"]["name"] = "slots"
    kubectl.apply(ours, slots("foreign", owners={"ownerReferences": []}))
    asker = Asker(control_plane, wk.OPERATOR, wk.SYSTEM_NAMESPACE)
    abuse = slots("new", runner(image="evil:1"))
    eventually(lambda: IMAGES in asker.ask("APPLY", f"{SETS}/new", abuse).message, 30, "it is in force")
    yield asker
    kubectl("delete", "namespace", SPACE, "--wait=false")


@pytest.mark.parametrize(("method", "name", "body"), SLOT_WORK)
def test_the_operator_may_write_slots(operator: Asker, method: str, name: str, body: Object | None) -> None:
    """The ReplicaSet of a batch is applied as a whole, scaled and read."""
    answer = operator.ask(method, f"{SETS}/{name}", body)
    assert answer.code in {200, 201}, answer


@pytest.mark.parametrize(("method", "name", "body", "words"), SLOT_ABUSES)
def test_the_operator_may_write_no_other_pods(
    operator: Asker, method: str, name: str, body: Object | None, words: str
) -> None:
    """Others' ReplicaSets, images, accounts, Secrets and the host are out of its reach."""
    answer = operator.ask(method, f"{SETS}/{name}", body)
    assert (answer.code, words in answer.message) == (403, True), answer
