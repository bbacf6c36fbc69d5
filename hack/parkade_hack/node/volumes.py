"""The volumes of one pod as folders, and their tokens and files kept fresh."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import time

import structlog

from parkade_core.kubelet.pod import Object
from parkade_hack.node.files import TokenWish, files_of, is_filled, token_wishes, write_folder
from parkade_hack.node.follow import ObjectCache
from parkade_hack.node.objects import NotThere
from parkade_hack.node.status import HOST, pod_ip
from parkade_operator.kube.client import KubeClient
from parkade_operator.kube.errors import KubeError

FRESH_PART = 0.8
RETRY_SECONDS = 5.0
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    renew_at: float


class Volumes:
    """Makes and fills the folders of one pod; `mounts` says where a container finds them."""

    def __init__(self, client: KubeClient, cache: ObjectCache, pod: Object, folder: Path) -> None:
        self._client = client
        self._cache = cache
        self._pod = pod
        self._folder = folder
        self._places: dict[str, Path] = {}
        self._written: dict[str, dict[str, bytes]] = {}
        self._tokens: dict[TokenWish, _Token] = {}

    async def make(self) -> None:
        """Makes every folder and fills it. Raises NotThere or KubeError."""
        for volume in self._pod["spec"].get("volumes") or []:
            name = volume["name"]
            self._places[name] = await self._place(volume)
            if is_filled(volume):
                await self._fill(volume)

    async def keep_fresh(self, changed: asyncio.Event) -> None:
        """Fills them again after every change and whenever a token is due, until cancelled."""
        filled = [volume for volume in self._pod["spec"].get("volumes") or [] if is_filled(volume)]
        while True:
            due = min((token.renew_at for token in self._tokens.values()), default=time() + 3600)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(RETRY_SECONDS, due - time())):
                    await changed.wait()
            changed.clear()
            for volume in filled:
                try:
                    await self._fill(volume)
                except (NotThere, KubeError) as error:
                    # As a kubelet does it: what the volume held stays, and the next change is tried again.
                    _log.warning("volume not refreshed", volume=volume["name"], error=str(error))

    def mounts(self, container: Object) -> dict[str, str]:
        """Mount path to folder, for one container."""
        return {
            mount["mountPath"].rstrip("/"): str(self._places[mount["name"]] / mount.get("subPath", ""))
            for mount in container.get("volumeMounts") or []
        }

    async def _place(self, volume: Object) -> Path:
        if "persistentVolumeClaim" in volume:
            return await self._claimed(volume["persistentVolumeClaim"]["claimName"])
        return _folder(self._folder / volume["name"])

    async def _claimed(self, claim: str) -> Path:
        namespace = self._pod["metadata"]["namespace"]
        bound = await self._client.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim}")
        name = bound["spec"].get("volumeName")
        if not name:
            raise NotThere(f"persistentVolumeClaim {claim} is not bound")
        spec = (await self._client.get(f"/api/v1/persistentvolumes/{name}"))["spec"]
        where = spec.get("hostPath") or spec.get("local")
        if not where:
            raise NotThere(f"persistentVolume {name} is neither hostPath nor local")
        return _folder(Path(where["path"]))

    async def _fill(self, volume: Object) -> None:
        files = files_of(self._pod, volume, self._cache.get, pod_ip(self._pod), HOST)
        for wish in token_wishes(volume):
            files[wish.path] = (await self._token(wish)).encode()
        if self._written.get(volume["name"]) != files:
            write_folder(self._places[volume["name"]], files)
            self._written[volume["name"]] = files

    async def _token(self, wish: TokenWish) -> str:
        known = self._tokens.get(wish)
        if known is None or known.renew_at <= time():
            known = self._tokens[wish] = await self._request(wish)
        return known.text

    async def _request(self, wish: TokenWish) -> _Token:
        meta = self._pod["metadata"]
        account = self._pod["spec"].get("serviceAccountName", "default")
        bound = {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]}
        spec: Object = {"expirationSeconds": wish.seconds, "boundObjectRef": bound}
        if wish.audience:
            spec["audiences"] = [wish.audience]
        path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        status = (await self._client.create(path, body))["status"]
        return _Token(status["token"], renew_at(time(), status["expirationTimestamp"]))


def _folder(place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    return place


def renew_at(now: float, expires: str) -> float:
    """When a token that was got at *now* (Unix seconds) and expires at *expires* (RFC 3339) is due to be renewed."""
    end = datetime.fromisoformat(expires).timestamp()
    return now + FRESH_PART * (end - now)
