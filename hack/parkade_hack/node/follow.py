"""Secrets and ConfigMaps of our pods, each watched on its own, as the Node authorizer allows a kubelet to do it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from parkade_core.kubelet.pod import Object
from parkade_hack.node.objects import NotThere, Ref
from parkade_operator.kube.client import KubeClient
from parkade_operator.kube.reflector import Reflector

OnChange = Callable[[], None]


@dataclass(slots=True)
class _Followed:
    reflector: Reflector | None = None
    watching: asyncio.Task[None] | None = None
    found: Object | None = None
    listeners: list[OnChange] = field(default_factory=list)


class ObjectCache:
    """What is watched for at least one pod."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._followed: dict[Ref, _Followed] = {}

    def follow(self, ref: Ref, on_change: OnChange) -> None:
        """Watches the object until `leave`; *on_change* hears of every change."""
        if ref not in self._followed:
            self._followed[ref] = self._watch(ref)
        self._followed[ref].listeners.append(on_change)

    def leave(self, ref: Ref, on_change: OnChange) -> None:
        """Ends what `follow` began."""
        followed = self._followed[ref]
        followed.listeners.remove(on_change)
        if not followed.listeners and followed.watching:
            followed.watching.cancel()
            del self._followed[ref]

    def get(self, ref: Ref) -> Object | None:
        """The object as it is now, None when there is none. Raises NotThere before the first look."""
        followed = self._followed[ref]
        if followed.reflector is None or not followed.reflector.synced.is_set():
            raise NotThere(f"{ref.kind.removesuffix('s')} {ref.name} was not read yet")
        return followed.found

    def _watch(self, ref: Ref) -> _Followed:
        followed = _Followed()

        def take(item: Object, exists: bool) -> None:  # noqa: FBT001 - the reflector's signature
            followed.found = item if exists else None
            for listener in followed.listeners:
                listener()

        path = f"/api/v1/namespaces/{ref.namespace}/{ref.kind}"
        followed.reflector = Reflector(self._client, path, take, fieldSelector=f"metadata.name={ref.name}")
        followed.watching = asyncio.create_task(followed.reflector.run())
        return followed
