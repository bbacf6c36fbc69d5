"""The operator's end of `parkade.gateway.v1`: asks for plans, follows what the gateway knows."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import grpc
import structlog

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_api.proto.gateway.v1 import gateway_pb2_grpc as rpc
from parkade_operator.controllers.settings import Settings

_CALL_SECONDS = 10.0
_LONGEST_WAIT = 5.0
_log = structlog.get_logger()


class GatewayUnavailable(Exception):
    """The gateway did not answer; the same call may succeed later."""


class GatewayClient:
    """One connection to the gateway; *latest* is its newest snapshot, None while there is no connection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        credentials = grpc.ssl_channel_credentials(settings.gateway_ca_file.read_bytes())
        self._channel = grpc.aio.secure_channel(settings.gateway_address, credentials)
        self._stub = rpc.GatewayStub(self._channel)
        self.latest: pb.Snapshot | None = None

    async def plan(self, request: pb.PlanRequest) -> None:
        """Makes the gateway lead a batch. Raises GatewayUnavailable."""
        try:
            await self._stub.Plan(request, metadata=self._metadata(), timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise GatewayUnavailable(f"{error.code().name}: {error.details()}") from error

    async def cancel(self, uid: str) -> None:
        """Makes the gateway forget a batch. Raises GatewayUnavailable."""
        try:
            await self._stub.Cancel(
                pb.CancelRequest(uid=uid), metadata=self._metadata(), timeout=_CALL_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            raise GatewayUnavailable(f"{error.code().name}: {error.details()}") from error

    async def follow(self, on_snapshot: Callable[[], None]) -> None:
        """Keeps *latest* current until cancelled; *on_snapshot* is told after every change, losses included."""
        wait = 0.5
        while True:
            try:
                request = pb.WatchRequest(interval_milliseconds=self._settings.interval_milliseconds)
                async for snapshot in self._stub.Watch(request, metadata=self._metadata()):
                    self.latest, wait = snapshot, 0.5
                    on_snapshot()
            except grpc.aio.AioRpcError as error:
                _log.warning("gateway lost", code=error.code().name, error=error.details())
            self.latest = None
            on_snapshot()
            await asyncio.sleep(wait)
            wait = min(_LONGEST_WAIT, wait * 2)

    async def close(self) -> None:
        """Ends the connection."""
        await self._channel.close()

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {_token(self._settings.gateway_token_file)}"),)


def _token(file: Path) -> str:
    return file.read_text().strip()
