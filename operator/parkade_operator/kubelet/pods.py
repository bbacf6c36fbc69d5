"""Pods bound to our Nodes: watched, handed to the provider, and reported as the provider tells."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from parkade_core.kubelet.pod import NOT_STARTED, PodRules, PodView, decide, is_finished
from parkade_core.patches import covers
from parkade_operator.kube.client import STRATEGIC, KubeClient, Object
from parkade_operator.kube.errors import Conflict, NotFound
from parkade_operator.kube.events import EventRecorder
from parkade_operator.kube.reflector import Reflector
from parkade_operator.kube.workqueue import WorkQueue
from parkade_operator.kubelet.provider import PodProvider

_log = structlog.get_logger()


def pod_path(pod: Object) -> str:
    """The API path of a pod."""
    meta = pod["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"


class PodController:
    """One watch for all Nodes for which *owns* says yes; *on_change* is told after every change of the known pods.

    *rules* are the provider's. With *node*, the watch asks for the pods of that one Node only, as a kubelet may.
    """

    def __init__(
        self,
        client: KubeClient,
        owns: Callable[[str], bool],
        rules: PodRules,
        events: EventRecorder,
        on_change: Callable[[], None],
        node: str = "",
    ) -> None:
        self._client = client
        self._owns = owns
        self._rules = rules
        self._events = events
        self._on_change = on_change
        self._provider: PodProvider | None = None
        self._pods: dict[str, Object] = {}
        self._by_node: dict[str, dict[str, Object]] = defaultdict(dict)  # Node -> uid -> pod
        self._gone: set[str] = set()
        self._views: dict[str, PodView] = {}
        self._queue = WorkQueue(self._reconcile, name="pods")
        bound = f"spec.nodeName={node}" if node else "spec.nodeName!="
        self._reflector = Reflector(client, "/api/v1/pods", self._take, self._is_ours, fieldSelector=bound)
        self.synced = self._reflector.synced

    def serve(self, provider: PodProvider) -> None:
        """Names the provider; before `run`."""
        self._provider = provider

    async def watch(self) -> None:
        """Follows the API server until cancelled."""
        await self._reflector.run()

    async def work(self) -> None:
        """Reconciles pods until cancelled; starts when all pods are known, so that nothing is taken for gone."""
        await self.synced.wait()
        await self._queue.run()

    def tell(self, uid: str, view: PodView) -> None:
        """The provider says how a pod stands; of pods that are gone nobody wants to know."""
        if uid not in self._pods:
            return
        self._views[uid] = view
        self._on_change()
        self._queue.add(uid)

    def nudge(self, uid: str) -> None:
        """Has a pod looked at again, because the provider can do now what it could not do before."""
        self._queue.add(uid)

    def get(self, uid: str) -> Object | None:
        """The pod with that uid, if it is bound to one of our Nodes."""
        return self._pods.get(uid)

    def find(self, namespace: str, name: str) -> Object | None:
        """The pod of that name that its provider runs; of several, one that is not being deleted."""
        wanted = (namespace, name)
        found = [p for p in self.bound() if (p["metadata"]["namespace"], p["metadata"]["name"]) == wanted]
        return min(found, key=lambda pod: "deletionTimestamp" in pod["metadata"], default=None)

    def view(self, uid: str) -> PodView:
        """How the provider last said that a pod stands."""
        return self._views.get(uid, NOT_STARTED)

    def on_node(self, node: str) -> list[Object]:
        """The pods bound to *node* that its provider runs."""
        return list(self._by_node.get(node, {}).values())

    def bound(self) -> list[Object]:
        """All pods of our Nodes that its provider runs."""
        return [pod for pods in self._by_node.values() for pod in pods.values()]

    async def remove(self, pod: Object) -> None:
        """Deletes the pod object at once; the caller knows that nothing runs any more, or never will."""
        try:
            await self._client.delete(pod_path(pod), uid=pod["metadata"]["uid"], grace_seconds=0)
        except (NotFound, Conflict):
            return

    def _is_ours(self, pod: Object) -> bool:
        # No selector says this: pods that others bind to our Nodes, as DaemonSets do, have to be refused and removed.
        return self._owns(pod["spec"].get("nodeName", ""))

    def _take(self, pod: Object, exists: bool) -> None:  # noqa: FBT001 - the reflector's signature
        uid = pod["metadata"]["uid"]
        if is_finished(pod) and uid not in self._views:
            self._views[uid] = PodView(containers={}, ended=True)
        self._pods[uid] = pod
        if self._rules.refusal(pod) is None:
            self._by_node[pod["spec"]["nodeName"]][uid] = pod
        if not exists:
            self._gone.add(uid)
        self._on_change()
        self._queue.add(uid)

    async def _reconcile(self, uid: str) -> float | None:
        pod = self._pods.get(uid)
        if pod is None or self._provider is None:
            return None
        if uid in self._gone:
            await self._forget(pod)
            return None
        view = self._views.get(uid, NOT_STARTED)
        action = decide(pod, view, refused=self._rules.refusal(pod) is not None)
        match action:
            case "Refuse":
                await self._refuse(pod)
            case "Run":
                await self._provider.run(pod)
                if uid in self._views or not pod.get("status", {}).get("containerStatuses"):
                    await self._report(pod, view)
            case "Stop":
                await self._provider.stop(
                    pod, pod["metadata"].get("deletionGracePeriodSeconds") or 0, "Deleted"
                )
            case "Conclude":
                await self._conclude(self._provider, pod, view)
            case "Remove":
                await self._report(pod, view)
                await self.remove(pod)
        return None

    async def _conclude(self, provider: PodProvider, pod: Object, view: PodView) -> None:
        if await provider.conclude(pod):
            await self._report(pod, view)
            await self.remove(pod)
        elif not is_finished(pod):
            await self._report(pod, view)

    async def _forget(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if not self.view(uid).ended and self._rules.refusal(pod) is None and self._provider is not None:
            await self._provider.stop(pod, 0, "Deleted")
        self._pods.pop(uid, None)
        self._by_node[pod["spec"]["nodeName"]].pop(uid, None)
        self._views.pop(uid, None)
        self._gone.discard(uid)
        self._on_change()

    async def _refuse(self, pod: Object) -> None:
        message = self._rules.refusal(pod) or ""
        status = self._rules.refused_status(message)
        if not covers(pod.get("status"), status["status"]):
            await self._patch(pod, status | {"metadata": {"uid": pod["metadata"]["uid"]}})
            await self._events.record(
                pod | {"apiVersion": "v1", "kind": "Pod"}, "Warning", self._rules.refusal_reason, message
            )

    async def _report(self, pod: Object, view: PodView) -> None:
        if self._rules.refusal(pod) is not None:
            return
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        patch = self._rules.status(pod, view, now)
        if not covers(pod.get("status"), patch["status"]):
            await self._patch(pod, patch)
            _log.info(
                "pod status", pod=pod["metadata"]["name"], phase=patch["status"]["phase"], reason=view.reason
            )

    async def _patch(self, pod: Object, patch: Object) -> None:
        try:
            await self._client.patch(f"{pod_path(pod)}/status", patch, STRATEGIC)
        except (NotFound, Conflict):
            return
