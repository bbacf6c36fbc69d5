"""Which vehicles were revoked, and when: followed in the ConfigMap that `kubectl parkade revoke` writes."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import structlog

from parkade_api.wellknown import CONFIG_MAP_REVOKED
from parkade_operator.kube.client import KubeClient, Object
from parkade_operator.kube.reflector import Reflector

_log = structlog.get_logger()


class Revocations:
    """Vehicle id -> unix seconds up to which its enrolments are void.

    *on_change* hears every change. What was known stays known while the API server cannot be read.
    """

    def __init__(self, client: KubeClient, namespace: str, on_change: Callable[[], None]) -> None:
        self._client = client
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._on_change = on_change
        self._moments: Mapping[str, float] = {}
        selector = f"metadata.name={CONFIG_MAP_REVOKED}"
        self._reflector = Reflector(client, self._path, self._take, fieldSelector=selector)
        self.synced = self._reflector.synced

    @property
    def moments(self) -> Mapping[str, float]:
        """What is known now."""
        return self._moments

    async def watch(self) -> None:
        """Follows the API server until cancelled."""
        await self._reflector.run()

    async def fetch(self) -> Mapping[str, float]:
        """What the API server says now. Raises KubeError."""
        return moments_of(await self._client.get(f"{self._path}/{CONFIG_MAP_REVOKED}"))

    def _take(self, config_map: Object, exists: bool) -> None:  # noqa: FBT001 - the reflector's signature
        # Who deletes the list does not mean to let everybody in again.
        if exists:
            self._moments = moments_of(config_map)
            self._on_change()


def moments_of(config_map: Object) -> Mapping[str, float]:
    """The moments in the ConfigMap, which anybody with `kubectl edit` may have written.

    A moment that cannot be read revokes for good.
    """
    return {vehicle: _moment(vehicle, str(text)) for vehicle, text in (config_map.get("data") or {}).items()}


def _moment(vehicle: str, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        _log.warning("revoked for good, because the moment is not RFC 3339", vehicle=vehicle, moment=text)
        return float("inf")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
