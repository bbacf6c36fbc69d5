"""What `parkade-check` looks at: CRDs, leaders, the gateway's health, vehicles."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parkade_api.wellknown import CONFIG_MAP_CA, GATEWAY, GROUP, LABEL_VEHICLE, OPERATOR
from parkade_core.check import Finding, judge_crd, judge_gateway, judge_leader, judge_vehicles
from parkade_core.leadership import LeaseView, lease_view
from parkade_operator.check.settings import Settings
from parkade_operator.kube.client import KubeClient, Object
from parkade_operator.kube.errors import NotFound

_CRDS = (f"vehiclepools.{GROUP}", f"inferencebatches.{GROUP}")
_ANSWER_SECONDS = 5.0


class Look:
    """Looks again and again at one release; a Lease counts as renewed when it changed since the first look."""

    def __init__(self, client: KubeClient, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._first: dict[str, LeaseView] = {}

    async def findings(self) -> list[Finding]:
        """One finding for each question. Raises KubeError when the API server does not answer."""
        return [
            *[await self._crd(name) for name in _CRDS],
            *[await self._leader(name) for name in (OPERATOR, GATEWAY)],
            await self._gateway(),
            await self._vehicles(),
        ]

    async def _crd(self, name: str) -> Finding:
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        return judge_crd(name, await self._read(path))

    async def _leader(self, name: str) -> Finding:
        namespace = self._settings.namespace
        found = await self._read(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}")
        if found is None:
            return judge_leader(name, None, None)
        lease = lease_view(found)
        return judge_leader(name, self._first.setdefault(name, lease), lease)

    async def _gateway(self) -> Finding:
        path = f"/api/v1/namespaces/{self._settings.namespace}/configmaps/{CONFIG_MAP_CA}"
        published = await self._read(path) or {}
        authority = (published.get("data") or {}).get("ca.crt", "")
        answer = await self._health(authority) if authority else ""
        return judge_gateway(self._settings.gateway_address, authority, answer)

    async def _health(self, authority: str) -> str:
        credentials = grpc.ssl_channel_credentials(authority.encode())
        async with grpc.aio.secure_channel(self._settings.gateway_address, credentials) as channel:
            try:
                answer = await health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=_ANSWER_SECONDS
                )
            except grpc.aio.AioRpcError as error:
                return f"{error.code().name}, {error.details()}"
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

    async def _vehicles(self) -> Finding:
        return judge_vehicles((await self._client.get("/api/v1/nodes", labelSelector=LABEL_VEHICLE))["items"])

    async def _read(self, path: str) -> Object | None:
        try:
            return await self._client.get(path)
        except NotFound:
            return None
