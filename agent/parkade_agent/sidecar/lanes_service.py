"""`Lanes.Set`: the owner takes cores back and lends them again."""

from typing import Any, Final

import grpc
from typing_extensions import override

from parkade_agent.sidecar.lanes import Lanes
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc

MOST_LANES: Final = 256


class LanesService(vehicle_pb2_grpc.LanesServicer):
    """Changes the lanes of the sidecar while it serves."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    @override
    async def Set(
        self, request: vehicle_pb2.SetLanesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> vehicle_pb2.SetLanesReply:
        if request.lanes > MOST_LANES:
            message = f"lanes is {request.lanes}; a sidecar has at most {MOST_LANES}"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
        change = await self._lanes.set(request.lanes)
        return vehicle_pb2.SetLanesReply(
            lanes_before=change.before, lanes=change.now, runs_ended=change.runs_ended
        )
