"""What runs the pods of the Nodes that this kubelet answers for: the one interface a provider implements."""

from typing import Protocol

from parkade_operator.kube.client import Object


class PodProvider(Protocol):
    """Runs pods somewhere. All calls are idempotent, must not wait for the workload, and may come again at any time.

    The provider tells what becomes of a pod through `PodController.tell`, keyed by the pod's uid. A pod is owned by
    the provider until it has told a view with `ended`.
    """

    async def run(self, pod: Object) -> None:
        """Start the pod, or see to it that it goes on."""

    async def stop(self, pod: Object, grace_seconds: float, reason: str) -> None:
        """End every process of the pod, then tell `ended`; also for a pod that was never started."""

    async def conclude(self, pod: Object) -> bool:
        """The pod ended of itself, which is reported when this returns: True removes the object, False keeps it.

        A provider whose pods are replaced at once makes sure first that no new pod can be bound to this pod's Node.
        """
