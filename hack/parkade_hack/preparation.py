"""Makes a bare control plane ready for Parkade: all that the chart renders, without its pods.

CRDs, ServiceAccounts, RBAC, admission policies, Secrets and Leases are the chart's own, so what runs as a local process
is held to the very rules that pods are held to.
"""

import json
import subprocess
from typing import Any, Final

from parkade_api.wellknown import SYSTEM_NAMESPACE
from parkade_hack.controlplane import ControlPlane
from parkade_hack.paths import CHART, CRDS
from parkade_hack.tools import ensure_tools

ESTABLISHED_SECONDS = 30
RENDER_SECONDS = 60
NO_PODS: Final[dict[str, Any]] = {
    "operator": {"replicas": 0},
    "gateway": {"replicas": 0},
    "simulation": {"replicas": 0},
    "platformStore": {"persistence": {"enabled": False}},
}
# The API server's own kubelet client may read logs, as in a cluster that kubeadm made.
KUBELET_CLIENT: Final[dict[str, Any]] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "kube-apiserver-kubelet-client"},
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "system:kubelet-api-admin",
    },
    "subjects": [
        {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "User",
            "name": "kube-apiserver-kubelet-client",
        }
    ],
}


class PreparationError(Exception):
    """The chart cannot be rendered; the message is Helm's."""


def prepare(control_plane: ControlPlane) -> None:
    """Applies what the chart renders and waits for the CRDs. Raises PreparationError with Helm's words."""
    kubectl = control_plane.kubectl
    kubectl.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}}, KUBELET_CLIENT
    )
    kubectl("apply", "--server-side", "-f", "-", stdin=_rendered())
    kubectl("wait", "--for=condition=Established", f"--timeout={ESTABLISHED_SECONDS}s", "-f", str(CRDS))


def _rendered() -> str:
    helm = ensure_tools().path("helm")
    place = ["parkade", str(CHART), "--namespace", SYSTEM_NAMESPACE, "--skip-tests", "--values", "-"]
    done = subprocess.run(
        [helm, "template", *place],
        input=json.dumps(NO_PODS),
        capture_output=True,
        text=True,
        timeout=RENDER_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise PreparationError(done.stderr.strip())
    return done.stdout
