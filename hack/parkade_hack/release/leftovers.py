"""What a release makes and `helm uninstall` must not leave behind; the resources of its users stay theirs."""

from typing import Final

from parkade_api.wellknown import LABEL_VEHICLE, NODE_LEASE_NAMESPACE, NODE_PREFIX, SYSTEM_NAMESPACE
from parkade_hack.controlplane import Kubectl

_KINDS: Final = (
    "pods,services,deployments,leases,roles,rolebindings,serviceaccounts,networkpolicies,poddisruptionbudgets"
)
_CLUSTER_KINDS: Final = (
    "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
)


def leftovers(kubectl: Kubectl) -> list[str]:
    """Names of all such objects that are still there: the chart's own, and Nodes and Leases of vehicles."""
    ours = ("-o", "name", "--selector", "app.kubernetes.io/part-of=parkade")
    left = kubectl("get", _KINDS, "--namespace", SYSTEM_NAMESPACE, *ours).split()
    left += kubectl("get", _CLUSTER_KINDS, *ours).split()
    left += kubectl("get", "nodes", "-o", "name", "--selector", LABEL_VEHICLE).split()
    leases = kubectl("get", "leases", "--namespace", NODE_LEASE_NAMESPACE, "-o", "name").split()
    return left + [name for name in leases if f"/{NODE_PREFIX}" in name]
