"""The agent of one vehicle: what it hears from the gateway, what its guard decides, and the slots it runs."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterator

import structlog

from parkade_agent import wire
from parkade_agent.assignments import Assignments
from parkade_agent.attempts import AttemptBook
from parkade_agent.bundles import Bundles
from parkade_agent.door import Door
from parkade_agent.errors import AgentError
from parkade_agent.folders import emptied, own_folder, socket_folder
from parkade_agent.guard import Guard
from parkade_agent.journal.attempts import Left
from parkade_agent.journal.journal import Journal
from parkade_agent.lanes import LentLanes
from parkade_agent.logs import LogAnswers
from parkade_agent.metrics import read_lent, read_vehicle
from parkade_agent.own import Own
from parkade_agent.owner.keys import name_of
from parkade_agent.owner.wiping import Wiped, wipe
from parkade_agent.publishers import known_publishers
from parkade_agent.reclaim import Reclaims
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.cgroups import UNKILLABLE_SECONDS
from parkade_agent.runtime.sandbox.walls import Sandbox
from parkade_agent.runtime.slot import Ending, Vehicle
from parkade_agent.session import Session, Voice
from parkade_agent.settings import Settings
from parkade_agent.shards import Supply
from parkade_agent.signals.source import SignalSource
from parkade_agent.slots import Slots
from parkade_agent.standing import ParkedNote
from parkade_api import __version__
from parkade_api.figures import Reading
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.wellknown import Reason
from parkade_core.vehicle.death import Limits
from parkade_core.vehicle.guard import Action, GuardState
from parkade_core.vehicle.link import may_cost

STOP_SECONDS = 1.0
ENDED_SECONDS = UNKILLABLE_SECONDS + 2.0
"""In which a slot that was killed has ended, or the kernel holds a program of it."""
LOOK_SECONDS = 1.0
_log = structlog.get_logger()


class ProgramHeld(AgentError):
    """The kernel does not let a program end that was killed, so something of it may be left."""


class Agent:
    """Wires signals, guard, session and slots. Construct and use it inside the event loop."""

    def __init__(
        self,
        settings: Settings,
        source: SignalSource,
        door: Door,
        brake: SlotBrake,
        sandbox: Sandbox,
        journal: Journal,
        own: Own,
    ) -> None:
        state = settings.state_dir
        self._source = source
        self._journal = journal
        self._own = own
        self._others = settings.of_others
        self._loop = asyncio.get_running_loop()
        self._parked = ParkedNote(journal)
        self._guard = Guard(source, brake, self._guard_decided, own, self._parked.since)
        self._session = Session(door, Voice(self._hello, self._telemetry, self._hear), settings.beat_seconds)
        self._book = AttemptBook(own_folder(state / "results"), journal, door, self._session)
        self._vehicle = Vehicle(
            brake=brake,
            sandbox=sandbox,
            bundles=Bundles(state / "bundles", door, known_publishers(settings.publishers, brake, sandbox)),
            supply=Supply(door, self._session, self._book),
            slots=own_folder(state / "slots"),
            sockets=emptied(socket_folder(state)),
            lanes=LentLanes(settings.lanes),
            limits=Limits(settings.memory_bytes, settings.load_cpu_seconds),
        )
        self._reclaims = Reclaims(brake, self._session.tell)
        self._slots = Slots(self._vehicle, lambda: self._guard.state)
        self._assignments = Assignments(
            journal, self._slots, lambda: name_of(settings.certificate), self._recover
        )
        self._answers = LogAnswers(door)
        self._autonomy: float | None = None
        self._newest = fleet_pb2.Policy()
        self._wiped = Wiped()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until *stop* is set, then ends the slots and the session."""
        self._guard.start()
        works = (self._assignments.run(), self._session.run(), self._look(), self._remember())
        tasks = [asyncio.create_task(work) for work in works]
        obeying = tasks[0]
        for task in tasks:
            task.add_done_callback(lambda _: stop.set())
        await stop.wait()
        obeying.cancel()  # first: a slot that began now would be ended by nobody
        self._slots.end_all(Ending("", "the agent stops", STOP_SECONDS))
        await self._slots.have_ended(ENDED_SECONDS)
        with contextlib.suppress(TimeoutError):  # the next agent sends the rest
            await asyncio.wait_for(self._book.drained(), STOP_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._slots.stop(), self._answers.stop(), return_exceptions=True)
        await self._book.stop()
        self._guard.stop()
        shutil.rmtree(self._vehicle.sockets, ignore_errors=True)
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def wipe(self) -> Wiped:
        """The owner took back the consent: ends every slot and removes all that others brought into the vehicle.

        Counters and fates of attempts stay in the journal. What earlier tries removed is counted as well. Raises
        ProgramHeld, JournalBroken, OSError when something is left; what can be removed is gone all the same.
        """
        self._slots.end_all(Ending(Reason.NO_CONSENT, "the owner took back the consent"))
        have_ended = await self._slots.have_ended(ENDED_SECONDS)
        try:
            if have_ended:
                await self._slots.forget(Reason.NO_CONSENT)
            await self._book.forget(Reason.NO_CONSENT)
        finally:
            self._wiped += await asyncio.to_thread(wipe, self._others)
        if not have_ended:
            raise ProgramHeld(
                self._vehicle.brake.unkillable() or f"a slot has not ended for {ENDED_SECONDS:.0f} s"
            )
        wiped, self._wiped = self._wiped, Wiped()
        return wiped

    def guard_state(self) -> GuardState:
        """The guard's newest decision."""
        return self._guard.state

    def decide_again(self) -> None:
        """Something changed that the guard must know. Callable from any thread."""
        self._guard.wake()

    def reconnect(self) -> None:
        """Opens a session anew, because the vehicle has another certificate."""
        self._session.reopen()

    def readings(self) -> Iterator[Reading]:
        """What Prometheus is shown."""
        used, is_open = self._vehicle.brake.cpu_seconds(), self._session.is_open
        yield from read_vehicle(self._guard.state, self._source.readings(), used, is_connected=is_open)
        yield from read_lent(self._guard.state, self._own())

    async def _remember(self) -> None:
        """Looks after the journal, and notes what the next agent must know; returns never, and waits for the disk."""
        while True:
            await asyncio.to_thread(self._journal.look)
            if self._journal.trouble and not self._slots.are_at_work:
                await self._vehicle.bundles.make_room()
            if not (self._assignments.is_ready or self._journal.trouble) and await self._assignments.recall():
                self._session.reopen()  # only a new Hello names what is known now
            await self._parked.note(self._guard.state, is_at_work=self._slots.are_at_work)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        """Looks after what nobody tells, and waits for nothing; returns never."""
        while True:
            self._book.carry_work(may=not may_cost(self._own()))
            silent = self._session.silent_seconds
            if self._autonomy is not None and silent > self._autonomy:
                words = f"no gateway was heard for {silent:.0f} s; the pool allows {self._autonomy:g} s"
                self._slots.end_all(Ending(Reason.SILENT, words))
            await asyncio.sleep(LOOK_SECONDS)

    def _hello(self) -> fleet_pb2.Hello:
        hello = fleet_pb2.Hello(agent_version=__version__)
        self._assignments.introduce(hello)
        hello.slots.extend(self._slots.statuses())
        held = (*self._slots.in_hand(), *self._book.unsent())
        hello.leases.extend(wire.held_leases(held, self._session.unsaid()))
        return hello

    def _recover(self, left: Left) -> None:
        self._slots.recover(self._book.recover(left))

    def _telemetry(self) -> fleet_pb2.Telemetry:
        energy = self._own().energy_wh_today
        # What is written before the gateway has welcomed the session may be heard by nobody.
        reclaims = self._reclaims.take() if self._session.is_open else []
        return wire.telemetry(self._source.readings(), self._guard.state, reclaims, energy)

    def _hear(self, message: fleet_pb2.GatewayMessage) -> None:
        match message.WhichOneof("message"):
            case "welcome":
                self._own.confirm_time(message.welcome.unix_milliseconds / 1000)
                self._slots.welcomed()
            case "policy":
                self._follow(message.policy)
            case "assignment":
                self._assignments.hear(message.assignment)
            case "end_assignment":
                self._assignments.hear(message.end_assignment)
            case "lease_grant":
                self._slots.granted(message.lease_grant)
            case "losses":
                self._slots.lost(wire.lost_keys(message.losses))
            case "read_logs":
                self._answers.start(message.read_logs, self._slots.logs_of(message.read_logs.pod_uid))
            case _:
                _log.warning("a message that this agent does not know", message=str(message))

    def _follow(self, policy: fleet_pb2.Policy) -> None:
        if wire.is_older(policy, self._newest):
            numbers = {"generation": policy.generation, "newest": self._newest.generation}
            _log.warning(
                "rules that the pool has replaced are not followed", pool=wire.word(policy.pool), **numbers
            )
            return
        if policy.pool:
            self._newest = policy
        quarantined = wire.word(policy.quarantined)
        try:
            rules = wire.rules_of(policy)
        except ValueError as error:
            _log.warning("the pool's rules are refused", error=str(error))
            pool = f"the rules of pool {wire.word(policy.pool)} in generation {policy.generation}"
            self._guard.refuse(f"{pool} are refused: {error}", quarantined)
            return
        self._guard.follow(rules, quarantined)
        if rules is None:
            return
        self._autonomy, self._book.most = rules.autonomy, rules.max_buffered_shards
        self._vehicle.bundles.must_be_signed = rules.require_signed_bundles

    def _guard_decided(self, state: GuardState) -> None:
        """Called in the guard's thread, after it has acted."""
        self._loop.call_soon_threadsafe(self._after_guard, state, self._guard.heard_at)

    def _after_guard(self, state: GuardState, heard_at: float) -> None:
        self._vehicle.lanes.guard_acted(state)
        self._reclaims.guard_acted(state, heard_at)
        _log.info("guard", action=state.action, reasons=state.reasons, message=state.message)
        if state.action is Action.KILL:
            self._slots.end_all(Ending(state.reasons[0], state.message))
        self._session.tell()
