"""What the gateway may do, asked with its own token: verb by verb, on its own objects and on those of others."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from parkade_api import wellknown as wk
from parkade_hack.controlplane import ControlPlane, Kubectl
from support.asking import Asker
from support.controlplane import eventually

Object = dict[str, Any]
OWN, WORKER = "vehicle-policy", "policy-worker"
SYSTEM = wk.SYSTEM_NAMESPACE
NODES, PODS = "/api/v1/nodes", "/api/v1/namespaces/policy/pods"
OUR_PODS = f"/api/v1/namespaces/{SYSTEM}/pods"
NODE_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{wk.NODE_LEASE_NAMESPACE}/leases"
OUR_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
SECRETS, CONFIG_MAPS = f"/api/v1/namespaces/{SYSTEM}/secrets", f"/api/v1/namespaces/{SYSTEM}/configmaps"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
BATCHES = f"/apis/{wk.API_VERSION}/inferencebatches"
PROVIDER = {"key": wk.TAINT_PROVIDER, "value": wk.PROVIDER, "effect": "NoSchedule"}
FOREIGN = {"key": "example.com/keep", "effect": "NoSchedule"}
DRIVING = {"key": wk.Taint.DRIVING.value, "effect": "NoExecute"}
OURS = [{"key": key.value, "effect": "NoExecute"} for key in wk.Taint]
CONDITION = {"conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": "test"}]}

BY_RBAC = "cannot"  # the API server's word when no rule grants a verb
NAME = "must begin with vehicle-"
ROLE = "no role or restriction labels"
TAINTS = "only Parkade's own taints may change"
STATUS = "a status write must not change"
NOT_OURS = "is not on a vehicle"
LEADER = "only the label parkade.dev/leader may change"
LEASES = "only the Leases of vehicles and its own"


def node(name: str, *taints: Object, **labels: str) -> Object:
    """A Node with the label of a vehicle and *labels*."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {wk.LABEL_VEHICLE: "policy"} | labels},
        "spec": {"taints": list(taints)},
    }


def bare_node(name: str) -> Object:
    """A Node that is nobody's vehicle."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"taints": [PROVIDER]}}


def pod(name: str, on: str | None, namespace: str = "policy", component: str = "") -> Object:
    """A pod bound to a Node or to none; with *component* as if it were of the release."""
    labels = {"app.kubernetes.io/name": "parkade", "app.kubernetes.io/component": component}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels if component else {}},
        "spec": {
            "containers": [{"name": "main", "image": "none"}],
            "automountServiceAccountToken": False,
            # A pod that is bound to no Node shall stay so.
            **({"nodeName": on} if on else {"schedulerName": "nobody"}),
        },
    }


def lease(name: str) -> Object:
    """A Lease."""
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}}


def taints(*wanted: Object) -> Object:
    """The patch of a Node's taints."""
    return {"spec": {"taints": list(wanted)}}


def labels(**changed: str | None) -> Object:
    """The patch of labels below parkade.dev."""
    return {"metadata": {"labels": {f"{wk.GROUP}/{name}": value for name, value in changed.items()}}}


FINALIZER = {"metadata": {"finalizers": ["example.com/never"]}}
NOTE = {"metadata": {"annotations": {"example.com/note": "x"}}}
PHASE = {"status": {"phase": "Running"}}
OBJECTS = (
    node(OWN, PROVIDER, FOREIGN),
    bare_node(WORKER),
    pod("on-vehicle", OWN),
    pod("on-worker", WORKER),
    pod("unbound", None),
    pod("policy-gateway", None, SYSTEM, "gateway"),
    pod("policy-operator", None, SYSTEM, "operator"),
    pod("policy-slot", OWN, SYSTEM, "gateway"),
    lease("policy-worker") | {"metadata": {"name": WORKER, "namespace": wk.NODE_LEASE_NAMESPACE}},
)

GRANTED = [
    ("GET", f"{NODES}/{OWN}", None),
    ("GET", f"{NODES}?labelSelector={wk.LABEL_VEHICLE}", None),
    ("POST", NODES, node("vehicle-new", PROVIDER)),
    ("DELETE", f"{NODES}/{OWN}", None),
    ("PATCH", f"{NODES}/{OWN}", taints(PROVIDER, FOREIGN, *OURS)),
    ("PATCH", f"{NODES}/{OWN}", labels(pool="garage")),
    ("PATCH", f"{NODES}/{OWN}/status", {"status": CONDITION}),
    ("PATCH", f"{PODS}/on-vehicle/status", PHASE),
    ("DELETE", f"{PODS}/on-vehicle", None),
    ("PATCH", f"{OUR_PODS}/policy-gateway", labels(leader="true")),
    ("POST", NODE_LEASES, lease("vehicle-new")),
    ("PATCH", f"{OUR_LEASES}/{wk.GATEWAY}", {"spec": {"holderIdentity": "somebody"}}),
    ("GET", f"{SECRETS}/{wk.SECRET_CA}", None),
    ("PATCH", f"{SECRETS}/{wk.SECRET_TOKENS}", {"stringData": {"a": "b"}}),
    ("PATCH", f"{CONFIG_MAPS}/{wk.CONFIG_MAP_CA}", {"data": {"ca.crt": "x"}}),
    ("GET", f"{CONFIG_MAPS}?fieldSelector=metadata.name%3D{wk.CONFIG_MAP_REVOKED}", None),
    ("GET", f"{ROLES}/{wk.GATEWAY}", None),
    ("GET", f"{BATCHES}?limit=500", None),
    ("GET", "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication", None),
]
REFUSED = [
    ("POST", NODES, node("stranger", PROVIDER), NAME),
    ("POST", NODES, bare_node("vehicle-new"), NAME),
    ("POST", NODES, node("vehicle-new"), "must carry the taint"),
    ("POST", NODES, node("vehicle-new", PROVIDER, **{"node-role.kubernetes.io/control-plane": ""}), ROLE),
    ("POST", NODES, node("vehicle-new", PROVIDER, **{"node-restriction.kubernetes.io/x": "y"}), ROLE),
    ("DELETE", f"{NODES}/{WORKER}", None, NAME),
    ("PUT", f"{NODES}/{OWN}", node(OWN, PROVIDER, FOREIGN), BY_RBAC),
    ("PATCH", f"{NODES}/{WORKER}", labels(vehicle="policy"), NAME),
    ("PATCH", f"{NODES}/{WORKER}", taints(PROVIDER, DRIVING), NAME),
    ("PATCH", f"{NODES}/{OWN}", labels(vehicle=None), NAME),
    ("PATCH", f"{NODES}/{OWN}", taints(FOREIGN), TAINTS),
    ("PATCH", f"{NODES}/{OWN}", taints(PROVIDER, DRIVING), TAINTS),
    ("PATCH", f"{NODES}/{OWN}", taints(PROVIDER, FOREIGN, {"key": "x/y", "effect": "NoExecute"}), TAINTS),
    ("PATCH", f"{NODES}/{OWN}", {"spec": {"unschedulable": True}}, TAINTS),
    ("PATCH", f"{NODES}/{OWN}/status", labels(pool="garage"), STATUS),
    ("PATCH", f"{NODES}/{OWN}/status", FINALIZER, STATUS),
    ("PATCH", f"{NODES}/{WORKER}/status", {"status": CONDITION}, NAME),
    ("POST", PODS, pod("new", OWN), BY_RBAC),
    ("PATCH", f"{PODS}/on-vehicle", labels(batch="other"), BY_RBAC),
    ("PATCH", f"{PODS}/on-vehicle/status", labels(batch="other"), STATUS),
    ("PATCH", f"{PODS}/on-vehicle/status", FINALIZER, STATUS),
    ("PATCH", f"{PODS}/on-worker/status", PHASE, NOT_OURS),
    ("PATCH", f"{PODS}/unbound/status", PHASE, NOT_OURS),
    ("DELETE", f"{PODS}/on-worker", None, NOT_OURS),
    ("DELETE", f"{PODS}/unbound", None, NOT_OURS),
    ("DELETE", f"{OUR_PODS}/policy-gateway", None, NOT_OURS),
    ("PATCH", f"{OUR_PODS}/policy-gateway", labels(other="x"), LEADER),
    ("PATCH", f"{OUR_PODS}/policy-gateway", NOTE, LEADER),
    ("PATCH", f"{OUR_PODS}/policy-gateway", {"spec": {"activeDeadlineSeconds": 1}}, LEADER),
    ("PATCH", f"{OUR_PODS}/policy-operator", labels(leader="true"), LEADER),
    ("PATCH", f"{OUR_PODS}/policy-slot", labels(leader="true"), LEADER),
    ("POST", NODE_LEASES, lease("stranger"), LEASES),
    ("PATCH", f"{NODE_LEASES}/{WORKER}", {"spec": {"holderIdentity": "x"}}, LEASES),
    ("PATCH", f"{OUR_LEASES}/{wk.OPERATOR}", {"spec": {"holderIdentity": "x"}}, BY_RBAC),
    ("DELETE", f"{OUR_LEASES}/{wk.GATEWAY}", None, BY_RBAC),
    ("GET", SECRETS, None, BY_RBAC),
    ("GET", "/api/v1/namespaces/kube-system/secrets", None, BY_RBAC),
    ("DELETE", f"{SECRETS}/{wk.SECRET_CA}", None, BY_RBAC),
    ("GET", CONFIG_MAPS, None, BY_RBAC),
    ("PATCH", f"{CONFIG_MAPS}/{wk.CONFIG_MAP_REVOKED}", {"data": {}}, BY_RBAC),
    ("PATCH", f"{ROLES}/{wk.GATEWAY}", {"rules": []}, BY_RBAC),
    ("GET", f"{ROLES}/cluster-admin", None, BY_RBAC),
    ("PATCH", f"{CSRS}/any/approval", {"status": {}}, BY_RBAC),
    ("PATCH", f"/apis/{wk.API_VERSION}/vehiclepools/any/status", {"status": {}}, BY_RBAC),
    ("DELETE", f"/apis/{wk.API_VERSION}/namespaces/policy/inferencebatches/any", None, BY_RBAC),
]


@pytest.fixture(scope="module")
def gateway(control_plane: ControlPlane) -> Iterator[Asker]:
    """The gateway's ServiceAccount, with objects of its own and of others around it."""
    kubectl = control_plane.kubectl
    kubectl("create", "namespace", "policy")
    kubectl.apply(*OBJECTS)
    asker = Asker(control_plane, wk.GATEWAY, SYSTEM)
    stranger = node(f"stranger-{uuid.uuid4().hex[:6]}", PROVIDER)
    eventually(lambda: NAME in asker.ask("POST", NODES, stranger).message, 30, "the policy is in force")
    yield asker
    kubectl("delete", "node", OWN, WORKER)
    kubectl("delete", "pods", "--all", "--force", "--grace-period=0", "--namespace", "policy")
    for name in ("policy-gateway", "policy-operator", "policy-slot"):
        kubectl("delete", "pod", name, "--force", "--grace-period=0", "--namespace", SYSTEM)
    kubectl("delete", "lease", WORKER, "--namespace", wk.NODE_LEASE_NAMESPACE, "--ignore-not-found")
    kubectl("delete", "namespace", "policy", "--wait=false")


@pytest.mark.parametrize(("method", "path", "body"), GRANTED)
def test_the_gateway_may_do_its_work(gateway: Asker, method: str, path: str, body: Object | None) -> None:
    """What the gateway does to vehicles' Nodes, their pods and Leases, and to its own objects, is let through."""
    answer = gateway.ask(method, path, body)
    assert answer.code in {200, 201}, answer


@pytest.mark.parametrize(("method", "path", "body", "words"), REFUSED)
def test_the_gateway_may_do_nothing_else(
    gateway: Asker, method: str, path: str, body: Object | None, words: str
) -> None:
    """Others' Nodes, pods, Leases and Secrets, and what is not the gateway's in its own, are refused with 403."""
    answer = gateway.ask(method, path, body)
    assert (answer.code, words in answer.message) == (403, True), answer


@pytest.mark.parametrize("name", ["gateway-nodes", "gateway-pods", "gateway-leases", "operator-replicasets"])
def test_the_policies_are_well_typed(kubectl: Kubectl, gateway: Asker, name: str) -> None:
    """The API server finds no field in a policy's expressions that its kinds do not have."""
    assert gateway

    def status() -> Object:
        found: Object = kubectl.read("validatingadmissionpolicy", f"parkade-{name}").get("status", {})
        return found

    eventually(lambda: "typeChecking" in status(), 30, "the API server has checked the policy's types")
    assert not status()["typeChecking"].get("expressionWarnings")
