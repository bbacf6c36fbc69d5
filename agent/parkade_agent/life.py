"""The life of one vehicle's agent, real or simulated: it finds out who it is, dials the door, and works until told."""

import asyncio
from typing import Final

from parkade_agent.agent import Agent
from parkade_agent.door import Door, open_channel
from parkade_agent.identity.credentials import Credential
from parkade_agent.identity.keeper import IdentityKeeper
from parkade_agent.journal.journal import Journal
from parkade_agent.metrics import FIGURES
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.cgroups import slot_cgroup
from parkade_agent.runtime.governor import Governor
from parkade_agent.runtime.sandbox.walls import Sandbox, find_sandbox, report
from parkade_agent.settings import Settings
from parkade_agent.signals.chosen import signals_of
from parkade_api.exposition import Health, serve
from parkade_api.figures import StateCollector
from parkade_api.stopping import told_to_stop

_PROGRAMS: Final = 2  # of a slot, each of which may take the memory that is lent


async def live(settings: Settings, credential: Credential | None) -> None:
    """Runs until SIGTERM. Raises NoIdentity when there is neither a certificate nor a way to one."""
    stop = told_to_stop()
    health = Health("agent")
    exposition = serve(health, settings.listen_address, settings.metrics_port)
    beating = asyncio.create_task(health.keep_beating())
    keeper = IdentityKeeper(settings, credential)
    finding = asyncio.create_task(keeper.first())
    await _either(finding, stop)
    if finding.done():
        health.set_ready(True)
        with slot_cgroup(_PROGRAMS * settings.memory_bytes) as cgroup:
            await _work(settings, keeper, Door(open_channel(finding.result())), SlotBrake(cgroup), stop)
    for task in (finding, beating):
        task.cancel()
    exposition.close()


async def _work(
    settings: Settings, keeper: IdentityKeeper, door: Door, brake: SlotBrake, stop: asyncio.Event
) -> None:
    governor = Governor(brake, settings.cpu_share) if settings.cpu_share < settings.lanes else None
    journal = Journal(settings.state_dir / "journal.sqlite")
    agent = Agent(settings, signals_of(settings), door, brake, _sandbox(settings), journal)
    StateCollector(FIGURES, agent.readings).register()
    keeping = asyncio.create_task(keeper.keep(door, agent.reconnect), name="identity")
    keeping.add_done_callback(lambda _: stop.set())
    if governor is not None:
        governor.start()
    await agent.run(stop)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await door.close()
    journal.close()
    if governor is not None:
        governor.stop()
    if not keeping.cancelled():
        keeping.result()


def _sandbox(settings: Settings) -> Sandbox:
    sandbox = find_sandbox(settings.bwrap)
    report(sandbox.missing, settings.allow_missing_sandbox_layers)
    return sandbox


async def _either(task: "asyncio.Task[object]", stop: asyncio.Event) -> None:
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
