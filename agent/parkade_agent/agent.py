"""The agent of one vehicle: what it hears from the gateway, what its guard decides, and the slots it runs."""

import asyncio
import shutil
from collections.abc import Iterator
from typing import TypeVar

import structlog

from parkade_agent import wire
from parkade_agent.bundles import Bundles
from parkade_agent.door import Door
from parkade_agent.folders import LastFolders, emptied, socket_folder
from parkade_agent.guard import Guard
from parkade_agent.lanes import LentLanes
from parkade_agent.logs import LogAnswers, Logs
from parkade_agent.metrics import read_vehicle
from parkade_agent.publishers import known_publishers
from parkade_agent.reclaim import Reclaims
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.sandbox.walls import Sandbox
from parkade_agent.runtime.slot import Ending, Slot, Vehicle
from parkade_agent.session import Session, Voice
from parkade_agent.settings import Settings
from parkade_agent.signals.source import SignalSource
from parkade_api import __version__
from parkade_api.figures import Reading
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_core.vehicle.death import Limits
from parkade_core.vehicle.guard import Action, GuardState

STOP_SECONDS = 1.0
PAST_SLOTS = 8
_T = TypeVar("_T")
_log = structlog.get_logger()


class Agent:
    """Wires signals, guard, session and slots. Construct and use it inside the event loop."""

    def __init__(
        self, settings: Settings, source: SignalSource, door: Door, brake: SlotBrake, sandbox: Sandbox
    ) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._guard = Guard(source, brake, self._guard_decided)
        self._session = Session(door, Voice(self._hello, self._telemetry, self._hear), settings.beat_seconds)
        self._sockets = socket_folder(settings.state_dir)
        self._vehicle = Vehicle(
            brake=brake,
            sandbox=sandbox,
            bundles=Bundles(
                settings.state_dir / "bundles", door, known_publishers(settings.publishers, brake, sandbox)
            ),
            door=door,
            session=self._session,
            slots=emptied(settings.state_dir / "slots"),
            sockets=self._sockets,
            lanes=LentLanes(settings.lanes),
            limits=Limits(settings.memory_bytes, settings.load_cpu_seconds),
        )
        self._reclaims = Reclaims(brake, self._session.tell)
        self._slots: dict[str, Slot] = {}
        self._past: dict[str, fleet_pb2.SlotStatus] = {}
        self._batch_uids: dict[str, str] = {}
        self._folders = LastFolders(PAST_SLOTS)
        self._logs: dict[str, Logs] = {}
        self._answers = LogAnswers(door)
        self._lives: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until *stop* is set, then ends the slots and the session."""
        self._guard.start()
        session = asyncio.create_task(self._session.run(), name="session")
        session.add_done_callback(lambda _: stop.set())
        await stop.wait()
        slots = list(self._slots.values())
        for slot in slots:
            slot.end(Ending("", "the agent stops", STOP_SECONDS))
        for slot in slots:
            await slot.has_ended.wait()
        for task in (session, *self._lives):
            task.cancel()
        await asyncio.gather(session, *self._lives, self._answers.stop(), return_exceptions=True)
        self._guard.stop()
        shutil.rmtree(self._sockets, ignore_errors=True)
        if not session.cancelled():
            session.result()

    def reconnect(self) -> None:
        """Opens a session anew, because the vehicle has another certificate."""
        self._session.reopen()

    def readings(self) -> Iterator[Reading]:
        """What Prometheus is shown."""
        used, is_open = self._vehicle.brake.cpu_seconds(), self._session.is_open
        return read_vehicle(self._guard.state, self._source.readings(), used, is_connected=is_open)

    def _hello(self) -> fleet_pb2.Hello:
        return fleet_pb2.Hello(
            agent_version=__version__,
            slots=[*(slot.status() for slot in self._slots.values()), *self._past.values()],
            leases=[lease for slot in self._slots.values() for lease in slot.shards.held()],
        )

    def _telemetry(self) -> fleet_pb2.Telemetry:
        return wire.telemetry(self._source.readings(), self._guard.state, self._reclaims.take())

    def _hear(self, message: fleet_pb2.GatewayMessage) -> None:
        match message.WhichOneof("message"):
            case "welcome":
                for slot in self._slots.values():
                    slot.shards.welcomed()
            case "policy":
                self._follow(message.policy)
            case "assignment":
                self._assigned(message.assignment)
            case "end_assignment":
                self._unassigned(message.end_assignment)
            case "lease_grant":
                self._granted(message.lease_grant)
            case "read_logs":
                self._answers.start(message.read_logs, self._logs.get(message.read_logs.pod_uid))
            case _:
                _log.warning("a message that this agent does not know", message=str(message))

    def _follow(self, policy: fleet_pb2.Policy) -> None:
        try:
            self._guard.follow(wire.rules_of(policy))
        except ValueError as error:
            _log.warning("the pool's rules are refused, the old ones stay", error=str(error))

    def _assigned(self, assignment: fleet_pb2.Assignment) -> None:
        uid = assignment.pod_uid
        if uid in self._slots:
            self._report(self._slots[uid].status())
        elif uid in self._past:
            self._report(self._past[uid])
        elif not self._guard.state.may_start:
            self._refuse(uid, self._guard.state)
        else:
            self._start(assignment)

    def _start(self, assignment: fleet_pb2.Assignment) -> None:
        _log.info("assigned", pod=assignment.pod_name, batch=assignment.batch_uid)
        before = [slot for slot in self._slots.values() if not slot.has_ended.is_set()]
        slot = self._slots[assignment.pod_uid] = Slot(assignment, self._vehicle, self._slot_changed)
        self._folders.leave(slot.folder)
        _put(self._logs, assignment.pod_uid, slot.logs)
        _put(self._batch_uids, assignment.pod_uid, assignment.batch_uid)
        self._report(slot.status())
        life = asyncio.create_task(self._live(slot, before), name=f"slot {assignment.pod_name}")
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)

    def _refuse(self, uid: str, state: GuardState) -> None:
        _log.info("start refused", pod_uid=uid, reasons=state.reasons, message=state.message)
        self._remember(_ended(uid, state.reasons[0], state.message))
        self._report(self._past[uid])

    async def _live(self, slot: Slot, before: list[Slot]) -> None:
        """A vehicle runs one slot: the next one starts when no process of the last is left."""
        for other in before:
            await other.has_ended.wait()
        try:
            await slot.run()
        except Exception as error:  # noqa: BLE001 - whatever it is
            # Nobody would hear of it: the gateway would wait for this slot for as long as the vehicle is there.
            _log.exception("slot broken", pod=slot.assignment.pod_name)
            slot.has_ended.set()
            status = _ended(slot.assignment.pod_uid, "Error", f"the slot broke: {error!r}")
            self._report(status)
        else:
            status = slot.status()
        del self._slots[status.pod_uid]
        self._folders.keep(slot.folder)
        self._remember(status)

    def _remember(self, status: fleet_pb2.SlotStatus) -> None:
        """Keeps the last words of slots, which the next Hello repeats."""
        _put(self._past, status.pod_uid, status)

    def _unassigned(self, end: fleet_pb2.EndAssignment) -> None:
        slot = self._slots.get(end.pod_uid)
        if slot is not None and not slot.has_ended.is_set():
            slot.end(Ending(end.reason, "the assignment was ended", end.grace_seconds))
            return
        past = self._past.pop(end.pod_uid, None) or _ended(end.pod_uid, end.reason, "no such slot")
        self._report(slot.status() if slot is not None else past)

    def _granted(self, grant: fleet_pb2.LeaseGrant) -> None:
        slot = self._slots.get(grant.pod_uid)
        if slot is not None:
            slot.shards.granted(grant)
        elif grant.shards:
            _log.info("granted too late, handed back", pod_uid=grant.pod_uid, lease=grant.lease)
            batch_uid = self._batch_uids.get(grant.pod_uid, "")
            self._session.keep_saying(wire.handback(batch_uid, grant.lease, [s.shard for s in grant.shards]))

    def _slot_changed(self, slot: Slot) -> None:
        self._report(slot.status())

    def _report(self, status: fleet_pb2.SlotStatus) -> None:
        self._session.say(fleet_pb2.VehicleMessage(slot_status=status))

    def _guard_decided(self, state: GuardState) -> None:
        """Called in the guard's thread, after it has acted."""
        self._loop.call_soon_threadsafe(self._after_guard, state, self._guard.heard_at)

    def _after_guard(self, state: GuardState, heard_at: float) -> None:
        self._vehicle.lanes.guard_acted(state)
        self._reclaims.guard_acted(state, heard_at)
        _log.info("guard", action=state.action, reasons=state.reasons, message=state.message)
        if state.action is Action.KILL:
            for slot in self._slots.values():
                slot.end(Ending(state.reasons[0], state.message))
        self._session.tell()


def _put(last: dict[str, _T], uid: str, value: _T) -> None:
    """Keeps *value* as the newest of the last few."""
    last.pop(uid, None)
    last[uid] = value
    while len(last) > PAST_SLOTS:
        del last[next(iter(last))]


def _ended(uid: str, reason: str, message: str) -> fleet_pb2.SlotStatus:
    return fleet_pb2.SlotStatus(pod_uid=uid, ended=True, reason=reason, message=message)
