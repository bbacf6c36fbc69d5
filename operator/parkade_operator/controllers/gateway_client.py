"""The operator's end of `parkade.gateway.v1`: asks for plans, follows what the gateway knows."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import grpc
import structlog

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_api.proto.gateway.v1 import gateway_pb2_grpc as rpc
from parkade_api.wellknown import CONFIG_MAP_CA
from parkade_operator.controllers.settings import Settings
from parkade_operator.kube.client import KubeClient
from parkade_operator.kube.errors import KubeError

_CALL_SECONDS = 10.0
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 1.0
_OPTIONS = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # Without this an unanswered keepalive ends the connection after a minute only, whatever its own timeout says.
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    # How long one try may take, with TCP and TLS, not how long to wait between two.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
_log = structlog.get_logger()


class GatewayUnavailable(Exception):
    """The gateway did not answer; the same call may succeed later."""


class GatewayClient:
    """One connection to the gateway; *latest* is its newest snapshot, None while there is no connection.

    The gateway is trusted by the authority that it publishes in a ConfigMap, which only it and administrators write.
    """

    def __init__(self, settings: Settings, client: KubeClient) -> None:
        self._settings = settings
        self._client = client
        self._authority = ""
        self._channel: grpc.aio.Channel | None = None
        self._stub: rpc.GatewayAsyncStub | None = None
        self.latest: pb.Snapshot | None = None

    async def plan(self, request: pb.PlanRequest) -> None:
        """Makes the gateway lead a batch. Raises GatewayUnavailable."""
        try:
            await self._connected().Plan(request, metadata=self._metadata(), timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise GatewayUnavailable(f"{error.code().name}: {error.details()}") from error

    async def cancel(self, uid: str) -> None:
        """Makes the gateway forget a batch. Raises GatewayUnavailable."""
        request = pb.CancelRequest(uid=uid)
        try:
            await self._connected().Cancel(request, metadata=self._metadata(), timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise GatewayUnavailable(f"{error.code().name}: {error.details()}") from error

    async def follow(self, on_snapshot: Callable[[], None]) -> None:
        """Keeps *latest* current until cancelled; *on_snapshot* is told after every change, losses included."""
        wait = _FIRST_WAIT
        while True:
            try:
                await self._connect()
                request = pb.WatchRequest(interval_milliseconds=self._settings.interval_milliseconds)
                async for snapshot in self._connected().Watch(request, metadata=self._metadata()):
                    self.latest, wait = snapshot, _FIRST_WAIT
                    on_snapshot()
            except grpc.aio.AioRpcError as error:
                _log.warning("gateway lost", code=error.code().name, error=error.details())
            except (GatewayUnavailable, KubeError) as error:
                _log.warning("gateway not known", error=str(error))
            self.latest = None
            on_snapshot()
            await asyncio.sleep(wait)
            wait = min(_LONGEST_WAIT, wait * 2)

    async def close(self) -> None:
        """Ends the connection."""
        if self._channel is not None:
            await self._channel.close()

    def _connected(self) -> "rpc.GatewayAsyncStub":
        if self._stub is None:
            raise GatewayUnavailable("there is no connection to the gateway yet")
        return self._stub

    async def _connect(self) -> None:
        """Before every try: a lost connection may mean a new authority. Raises GatewayUnavailable, KubeError."""
        path = f"/api/v1/namespaces/{self._settings.namespace}/configmaps/{CONFIG_MAP_CA}"
        authority = ((await self._client.get(path)).get("data") or {}).get("ca.crt", "")
        if not authority:
            raise GatewayUnavailable(f"no gateway has filled the ConfigMap {CONFIG_MAP_CA} yet")
        if authority != self._authority:
            before, credentials = self._channel, grpc.ssl_channel_credentials(authority.encode())
            self._channel = grpc.aio.secure_channel(
                self._settings.gateway_address, credentials, options=_OPTIONS
            )
            self._stub, self._authority = rpc.GatewayStub(self._channel), authority
            if before is not None:
                # A call that is cut off would look like a cancelled reconcile; every call ends by itself in time.
                await before.close(_CALL_SECONDS)

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {_token(self._settings.gateway_token_file)}"),)


def _token(file: Path) -> str:
    return file.read_text().strip()
