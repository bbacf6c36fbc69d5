"""The sidecar's gRPC server on its unix socket: Open Inference Protocol, shards, health and reflection."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from parkade_agent.sidecar.inference import InferenceService
from parkade_agent.sidecar.lanes_service import LanesService
from parkade_agent.sidecar.parsing import ParsingInterceptor
from parkade_agent.sidecar.shards import ShardsService
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc

_SERVICES: Final = (
    oip.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name,
    vehicle_pb2.DESCRIPTOR.services_by_name["Shards"].full_name,
    vehicle_pb2.DESCRIPTOR.services_by_name["Lanes"].full_name,
)
_ANSWER_SECONDS: Final = 0.5  # for saying UNAVAILABLE to callers whose runs were ended


class SidecarServer:
    """Serves from `start` to `stop`. Start it when the model is warm: it says SERVING at once."""

    def __init__(
        self, socket: Path, inference: InferenceService, shards: ShardsService, lanes: LanesService
    ) -> None:
        self._socket = socket
        limits = (("grpc.max_receive_message_length", inference.message_limit),)
        self._server = grpc.aio.server(interceptors=(ParsingInterceptor(),), options=limits)
        self._health = health.aio.HealthServicer()
        oip_grpc.add_GRPCInferenceServiceServicer_to_server(inference, self._server)
        vehicle_pb2_grpc.add_ShardsServicer_to_server(shards, self._server)
        vehicle_pb2_grpc.add_LanesServicer_to_server(lanes, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self) -> None:
        """Binds the socket, also when a killed sidecar left one behind. Raises RuntimeError when it cannot."""
        self._socket.unlink(missing_ok=True)
        self._server.add_insecure_port(f"unix:{self._socket}")
        for name in _SERVICES:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()

    async def stop(self, grace_seconds: float, end_runs: Callable[[], Awaitable[None]]) -> None:
        """Says NOT_SERVING and takes no new calls; *end_runs* ends those that the grace was too short for."""
        await self._health.enter_graceful_shutdown()
        stopped = asyncio.create_task(self._server.stop(grace_seconds + _ANSWER_SECONDS))
        await asyncio.wait({stopped}, timeout=grace_seconds)
        await end_runs()
        await stopped
