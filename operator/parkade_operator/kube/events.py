"""Kubernetes Events: what happened to an object, in words that `kubectl describe` shows."""

import hashlib
from datetime import UTC, datetime

import structlog

from parkade_operator.kube.client import KubeClient, Object
from parkade_operator.kube.errors import Conflict, KubeError

_log = structlog.get_logger()


class EventRecorder:
    """Writes Events in the name of one component. One that cannot be written is logged, never raised."""

    def __init__(self, client: KubeClient, component: str) -> None:
        self._client = client
        self._component = component

    async def record(self, about: Object, kind: str, reason: str, message: str) -> None:
        """Writes one Event (*kind* Normal or Warning); the same words about an object are written once."""
        meta = about["metadata"]
        namespace = meta.get("namespace") or "default"
        digest = hashlib.sha256(f"{meta['uid']}{reason}{message}".encode()).hexdigest()[:16]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name'][:200]}.{digest}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": meta["name"],
                "namespace": meta.get("namespace", ""),
                "uid": meta["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": self._component},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._client.create(f"/api/v1/namespaces/{namespace}/events", body)
        except Conflict:
            return
        except KubeError as error:
            _log.warning("event not written", reason=reason, error=str(error))
