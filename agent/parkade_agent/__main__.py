"""`parkade-agent`: signals, guard, session and one slot, until SIGTERM.

Exit codes: 0 stopped as told; 2 wrong settings; 70 the guard failed.
"""

import asyncio
import signal

from parkade_agent.agent import Agent
from parkade_agent.door import Door, open_channel
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.governor import Governor
from parkade_agent.settings import Settings
from parkade_agent.signals.scripted import ScriptedSignals
from parkade_api.logs import configure_logs
from parkade_api.settings import load


def main() -> None:
    """Runs the agent of one vehicle."""
    configure_logs("agent")
    asyncio.run(_run(load(Settings, "parkade-agent")))


async def _run(settings: Settings) -> None:
    source = ScriptedSignals(settings.signals_file)
    brake = SlotBrake()
    governor = Governor(brake, settings.cpu_share) if settings.cpu_share < settings.lanes else None
    async with open_channel(settings) as channel:
        agent = Agent(settings, source, Door(channel), brake)
        if governor is not None:
            governor.start()
        await agent.run(_told_to_stop())
    if governor is not None:
        governor.stop()


def _told_to_stop() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


if __name__ == "__main__":
    main()
