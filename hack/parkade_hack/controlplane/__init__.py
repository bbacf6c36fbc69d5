"""A real Kubernetes control plane on loopback, no containers: etcd, API server, controllers, scheduler."""

from parkade_hack.controlplane.cluster import ControlPlane
from parkade_hack.controlplane.kubectl import Kubectl, KubectlError

__all__ = ["ControlPlane", "Kubectl", "KubectlError"]
