"""A door for agents whose slots shall begin and run nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from support.vehicles import Context, Door


@dataclass
class BareDoor(Door):
    """A door that never sends a bundle: a slot is begun, and nothing is run in it."""

    bundle: Path = Path("/nonexistent")
    shards: list[bytes] = field(default_factory=list)

    @property
    @override
    def bundle_digest(self) -> str:
        return "sha256:" + "0a" * 32

    @override
    async def Fetch(self, request: pb.FetchRequest, context: Context) -> AsyncIterator[pb.Chunk]:  # type: ignore[override]
        await asyncio.Event().wait()
        yield pb.Chunk()

    async def obeyed(self, order: pb.Assignment) -> None:
        """Sends an assignment, sees that it is obeyed, and ends its slot."""
        uid = order.pod_uid
        self.say(pb.GatewayMessage(assignment=order))
        first = (await self.until(lambda d: d.statuses(uid)))[0]
        assert not first.ended, (first.reason, first.message)
        self.say(pb.GatewayMessage(end_assignment=pb.EndAssignment(pod_uid=uid, reason="Deleted")))
        await self.until(lambda d: d.ended(uid))
