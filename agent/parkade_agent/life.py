"""The life of one vehicle's agent, real or simulated: it finds out who it is, dials the door, and works until told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Final

from parkade_agent.agent import Agent
from parkade_agent.clock import WallClock
from parkade_agent.door import Door, open_channel
from parkade_agent.energy import EnergyMeter
from parkade_agent.folders import own_folder
from parkade_agent.footprint import keep_small
from parkade_agent.identity.credentials import Credential
from parkade_agent.identity.keeper import IdentityKeeper
from parkade_agent.journal.journal import Journal
from parkade_agent.metrics import FIGURES
from parkade_agent.own import Lent, Own
from parkade_agent.owner import presence
from parkade_agent.owner.files import OwnerFiles, OwnerFolder
from parkade_agent.owner.follower import OwnerFollower
from parkade_agent.owner.keeper import OwnerKeeper, Shown
from parkade_agent.owner.keys import name_of
from parkade_agent.owner.receipts import Receipts
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.cgroups import slot_cgroup
from parkade_agent.runtime.governor import Governor
from parkade_agent.runtime.sandbox.walls import Sandbox, find_sandbox, report
from parkade_agent.settings import Settings
from parkade_agent.signals.chosen import signals_of
from parkade_agent.signals.source import SignalSource
from parkade_api.exposition import ExpositionSettings, Health, serve
from parkade_api.figures import StateCollector
from parkade_api.stopping import told_to_stop
from parkade_core.vehicle.throttle import most_cores

_PROGRAMS: Final = 2  # of a slot, each of which may take the memory that is lent


async def live(settings: Settings, credential: Credential | None) -> None:
    """Runs one vehicle until SIGTERM, the only agent of its state folder.

    Raises NoIdentity when there is neither a certificate nor a way to one, AlreadyRunning.
    """
    stop = told_to_stop()
    with presence.claimed(settings.state_dir):
        async with exposed("agent", settings) as health, _beside((keep_small(),), stop):

            def begun(agent: Agent) -> None:
                health.set_ready(True)
                StateCollector(FIGURES, agent.readings).register()

            with slot_cgroup(_PROGRAMS * settings.memory_bytes) as cgroup:
                brake = SlotBrake(cgroup)
                await be_vehicle(settings, credential, brake, sandbox_of(settings, brake), begun, stop)


@contextlib.asynccontextmanager
async def exposed(process: str, settings: ExpositionSettings) -> AsyncIterator[Health]:
    """Shows the process on its port as long as the context lasts; it is alive, and ready when somebody says so."""
    health = Health(process)
    exposition = serve(health, settings.listen_address, settings.metrics_port)
    beating = asyncio.create_task(health.keep_beating())
    try:
        yield health
    finally:
        beating.cancel()
        exposition.close()


async def be_vehicle(
    settings: Settings,
    credential: Credential | None,
    brake: SlotBrake,
    sandbox: Sandbox,
    begun: Callable[[Agent], None],
    stop: asyncio.Event,
) -> None:
    """One vehicle until *stop*; *begun* is shown its agent, when it has one. Raises NoIdentity."""
    keeper = IdentityKeeper(settings, credential)
    finding = asyncio.create_task(keeper.first())
    await _either(finding, stop)
    if finding.done():
        door = Door(open_channel(finding.result()))
        await _work(settings, keeper, door, brake, sandbox, begun, stop)
    finding.cancel()


async def _work(
    settings: Settings,
    keeper: IdentityKeeper,
    door: Door,
    brake: SlotBrake,
    sandbox: Sandbox,
    begun: Callable[[Agent], None],
    stop: asyncio.Event,
) -> None:
    journal, source = Journal(settings.journal), signals_of(settings)
    files = OwnerFiles(_owner_folder(settings), lambda: name_of(settings.certificate), journal)
    follower = OwnerFollower(files)
    own = _own(settings, source, journal, brake, sandbox, follower)
    agent = Agent(settings, source, door, brake, sandbox, journal, own)
    begun(agent)
    receipts = Receipts(files.folder, settings.certificate, settings.key)
    shown = Shown(files.vehicle, agent.guard_state, own, agent.wipe)
    owner = OwnerKeeper(shown, follower, receipts, settings.guard_view)

    def renewed() -> None:
        follower.read_again()
        agent.reconnect()

    works = (keeper.keep(door, renewed), own.keep(agent.decide_again), own.remember(), owner.keep())

    def share() -> float:
        return most_cores(settings.cpu_share, settings.lanes, agent.guard_state().lanes)

    with _governed(brake, share):
        async with _beside(works, stop):
            follower.start(agent.decide_again)
            await agent.run(stop)
            follower.stop()
    await door.close()
    journal.close()


def _own(
    settings: Settings,
    source: SignalSource,
    journal: Journal,
    brake: SlotBrake,
    sandbox: Sandbox,
    follower: OwnerFollower,
) -> Own:
    """What only the vehicle knows of itself."""
    lacking = tuple(sorted(set(sandbox.missing) - settings.allow_missing_sandbox_layers))
    lent = Lent(settings.lanes, settings.watts_per_core, lacking, settings.link or "")
    meter, clock = EnergyMeter(journal, settings.watts_per_core), WallClock(journal, settings.time_zone)
    return Own(lent, source, lambda: follower.word, journal, meter, clock, brake)


def _owner_folder(settings: Settings) -> OwnerFolder:
    """The owner's folder, made where it lies by default; one that was named must be there."""
    if settings.owner_dir is None:
        with contextlib.suppress(OSError):  # the word says that it is not there, and nothing runs
            own_folder(settings.owner)
    return OwnerFolder(settings.owner)


def sandbox_of(settings: Settings, brake: SlotBrake) -> Sandbox:
    """The walls that stand around what *brake* holds; the log says which are missing."""
    sandbox = find_sandbox(settings.bwrap, brake.cgroup)
    report(sandbox.missing, settings.allow_missing_sandbox_layers)
    if not sandbox.joins:
        brake.cgroup = None  # every program would end of it at its start
    return sandbox


@contextlib.contextmanager
def _governed(brake: SlotBrake, share: Callable[[], float]) -> Iterator[None]:
    """Holds the slot's programs to as many cores as *share* says."""
    governor = Governor(brake, share)
    governor.start()
    try:
        yield
    finally:
        governor.stop()


@contextlib.asynccontextmanager
async def _beside(works: Iterable[Coroutine[None, None, None]], stop: asyncio.Event) -> AsyncIterator[None]:
    """Has *works*, which never return, go on meanwhile; one that fails stops everything and is heard of at the end."""
    tasks = [asyncio.create_task(work) for work in works]
    for task in tasks:
        task.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _either(task: "asyncio.Task[object]", stop: asyncio.Event) -> None:
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
