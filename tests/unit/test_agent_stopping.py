"""An agent that was told to stop ends what it has, and begins nothing any more."""

import asyncio
from pathlib import Path

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from support.agents import parked_agent
from support.bare import BareDoor
from support.vehicles import certificates, open_door


async def test_an_order_that_comes_while_the_agent_stops_is_not_obeyed(tmp_path: Path) -> None:
    """Its slot would be ended by nobody; the gateway assigns it to the next agent, or to another vehicle."""
    door, certs, stop = BareDoor(), certificates(tmp_path), asyncio.Event()
    async with open_door(door, certs) as port, parked_agent(tmp_path, port, certs) as (agent, journal):
        running = asyncio.create_task(agent.run(stop))
        await door.until(lambda d: d.policy_followed())
        door.assign("first")
        await door.until(lambda d: d.statuses("first"))
        late = door.order("late")
        stop.set()
        agent._hear(pb.GatewayMessage(assignment=late))
        await asyncio.wait_for(running, 20)
        assert journal.last_counter() == late.counter - 1
    assert (door.ended("first") is not None, door.statuses("late")) == (True, [])
