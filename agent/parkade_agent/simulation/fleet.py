"""Many vehicles in one process: each is the ordinary agent with its own identity, session, guard and journal."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from parkade_agent import settings as agent
from parkade_agent.agent import Agent
from parkade_agent.identity.credentials import ServiceAccount
from parkade_agent.life import be_vehicle, exposed, live, sandbox_of
from parkade_agent.owner import presence
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.sandbox.walls import Sandbox
from parkade_agent.simulation.script import write_parked
from parkade_agent.simulation.settings import Settings
from parkade_api.stopping import told_to_stop


async def live_all(settings: Settings) -> None:
    """Runs them all until SIGTERM; one that fails ends the others. Raises AlreadyRunning, OSError.

    A pod of one vehicle shows what a vehicle shows. With several the page has the sums of their counters, and the
    process is ready when each has found its identity; they have no control group each, so signals stop their slots.
    """
    if settings.vehicles == 1:
        await live(agent_settings(settings, 0), _credential(settings, 0))
        return
    stop, sandbox = told_to_stop(), sandbox_of(agent_settings(settings, 0), SlotBrake())
    async with exposed("simulation", settings) as health, asyncio.TaskGroup() as vehicles:
        awaited = set(range(settings.vehicles))
        for number in range(settings.vehicles):

            def begun(_: Agent, number: int = number) -> None:
                awaited.discard(number)
                health.set_ready(not awaited)

            vehicles.create_task(_live(settings, number, sandbox, begun, stop), name=f"vehicle {number}")


async def _live(
    settings: Settings, number: int, sandbox: Sandbox, begun: Callable[[Agent], None], stop: asyncio.Event
) -> None:
    own = agent_settings(settings, number)
    with presence.claimed(own.state_dir):
        await be_vehicle(own, _credential(settings, number), SlotBrake(), sandbox, begun, stop)


def agent_settings(settings: Settings, number: int) -> agent.Settings:
    """What the agent of that vehicle is told: its recording, or the script of a parked vehicle. Raises OSError."""
    state = settings.state_dir if settings.vehicles == 1 else settings.state_dir / str(number)
    return agent.Settings(
        listen_address=settings.listen_address,
        metrics_port=settings.metrics_port,
        door_address=settings.door_address,
        enrolment_address=settings.enrolment_address,
        door_ca_file=settings.door_ca_file,
        signals_file=_signals(settings, number, state),
        state_dir=state,
        cpu_share=settings.cpu_share,
        lanes=settings.lanes,
        link=settings.link,
        allow_missing_sandbox_layers=settings.allow_missing_sandbox_layers,
    )


def _signals(settings: Settings, number: int, state: Path) -> Path:
    if settings.recordings is not None:
        return settings.recordings / f"{number}.jsonl"
    script = state / "signals.jsonl"
    write_parked(script)
    return script


def _credential(settings: Settings, number: int) -> ServiceAccount:
    return ServiceAccount(
        settings.service_account_token_file, settings.enrolment_address, settings.door_ca_file, number
    )
