"""What a gateway does because it leads: it has the authority, shows it, and is the one pod that the Service reaches."""

import asyncio

import structlog

from parkade_core.leadership import leader_labels
from parkade_operator.door.authority import Addresses, Authority, fetch_pair, publish
from parkade_operator.gateway.settings import Settings
from parkade_operator.kube.client import MERGE, KubeClient
from parkade_operator.kube.errors import KubeError, NotFound

_RETRY_SECONDS = 1.0
_LOOK_SECONDS = 10.0
_GATEWAY_PODS = "app.kubernetes.io/component=gateway"
_log = structlog.get_logger()


async def fetch_authority(
    client: KubeClient, settings: Settings, stopping: asyncio.Event
) -> Authority | None:
    """The release's authority, made if there was none; waits for the API server, None when told to stop meanwhile.

    Raises ValueError when it is broken.
    """
    while not stopping.is_set():
        try:
            pair = await fetch_pair(client, settings.namespace)
            return Authority(pair, settings.names, settings.certificate_seconds)
        except KubeError as error:
            _log.warning("the authority cannot be read", error=str(error))
            await asyncio.sleep(_RETRY_SECONDS)
    return None


async def keep_visible(client: KubeClient, settings: Settings, authority: Authority) -> None:
    """Keeps the published authority and the leader's label as they shall be, whoever changes them, until cancelled."""
    while True:
        pause = _LOOK_SECONDS
        try:
            await publish(client, settings.namespace, authority.certificate, _addresses(settings))
            if settings.pod_name:
                await _label(client, settings)
        except KubeError as error:
            _log.warning("the gateway is not visible", error=str(error))
            pause = _RETRY_SECONDS
        await asyncio.sleep(pause)


async def _label(client: KubeClient, settings: Settings) -> None:
    pods = f"/api/v1/namespaces/{settings.namespace}/pods"
    listing = await client.get(pods, labelSelector=_GATEWAY_PODS)
    for pod, patch in leader_labels(listing["items"], settings.pod_name).items():
        try:
            await client.patch(f"{pods}/{pod}", patch, MERGE)
        except NotFound:
            continue
        _log.info("leader's label", pod=pod, leads=pod == settings.pod_name)


def _addresses(settings: Settings) -> Addresses:
    name = settings.names[0]
    return Addresses(
        door=settings.door_advertised or f"{name}:{settings.door_port}",
        enrolment=settings.enrolment_advertised or f"{name}:{settings.enrolment_port}",
    )
