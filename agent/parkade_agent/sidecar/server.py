"""The sidecar's gRPC server on its unix socket: Open Inference Protocol, shards, health and reflection."""

from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from parkade_agent.sidecar.inference import InferenceService
from parkade_agent.sidecar.shards import ShardsService
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc

_SERVICES: Final = (
    oip.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name,
    vehicle_pb2.DESCRIPTOR.services_by_name["Shards"].full_name,
)
_STOP_SECONDS: Final = 0.5
# gRPC's default of 4 MiB is less than eight images in float32; the slot's memory limit holds instead.
_OPTIONS: Final = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


class SidecarServer:
    """Serves from `start` to `stop`. Start it when the model is warm: it says SERVING at once."""

    def __init__(self, socket: Path, inference: InferenceService, shards: ShardsService) -> None:
        self._socket = socket
        self._server = grpc.aio.server(options=_OPTIONS)
        self._health = health.aio.HealthServicer()
        oip_grpc.add_GRPCInferenceServiceServicer_to_server(inference, self._server)
        vehicle_pb2_grpc.add_ShardsServicer_to_server(shards, self._server)
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

    async def stop(self) -> None:
        """Says NOT_SERVING, gives calls under way half a second and closes."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(_STOP_SECONDS)
