"""`Lanes.Set`: the owner takes cores back and lends them again."""

from typing import Any

import grpc
from typing_extensions import override

from parkade_agent.sidecar.lanes import Lanes
from parkade_agent.sidecar.limits import MOST_LANES
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc


class LanesService(vehicle_pb2_grpc.LanesServicer):
    """Changes the lanes of the sidecar while it serves, up to the *most* that its memory has room for."""

    def __init__(self, lanes: Lanes, most: int = MOST_LANES) -> None:
        self._lanes = lanes
        self._most = most

    @override
    async def Set(
        self, request: vehicle_pb2.SetLanesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> vehicle_pb2.SetLanesReply:
        if request.lanes > MOST_LANES:
            message = f"lanes is {request.lanes}; a sidecar has at most {MOST_LANES}"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
        change = await self._lanes.set(min(request.lanes, self._most))
        return vehicle_pb2.SetLanesReply(
            lanes_before=change.before, lanes=change.now, runs_ended=change.runs_ended
        )
