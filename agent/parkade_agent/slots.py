"""The slots of one vehicle: those at work, the last few that ended, and shards that an earlier agent had in hand."""

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TypeVar

import structlog

from parkade_agent.folders import LastFolders
from parkade_agent.journal.attempts import Attempt
from parkade_agent.logs import Logs
from parkade_agent.runtime.slot import Ending, Slot, Vehicle
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.wellknown import Reason
from parkade_core.vehicle.guard import GuardState

PAST_SLOTS = 8
LET_GO_SECONDS = 1.0
_T = TypeVar("_T")
_log = structlog.get_logger()


class Slots:
    """Starts and ends slots, one at work at a time, and tells the gateway how each stands; in the event loop.

    A slot of an earlier agent that is assigned again goes on with the shards that it had in hand; the others are
    handed back as soon as another slot begins or their own is no more.
    """

    def __init__(self, vehicle: Vehicle, guard_state: Callable[[], GuardState]) -> None:
        self._vehicle = vehicle
        self._guard_state = guard_state
        self._slots: dict[str, Slot] = {}
        self._past: dict[str, fleet_pb2.SlotStatus] = {}
        self._batch_uids: dict[str, str] = {}
        self._folders = LastFolders(PAST_SLOTS)
        self._logs: dict[str, Logs] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._in_hand: dict[str, list[Attempt]] = {}

    def recover(self, in_hand: Iterable[Attempt]) -> None:
        """An earlier agent had these in hand; the folders of all other slots go. Called once, before any starts."""
        for attempt in in_hand:
            self._in_hand.setdefault(attempt.pod_uid, []).append(attempt)
        _clear(self._vehicle.slots, keep=self._in_hand)

    @property
    def are_at_work(self) -> bool:
        """Whether there is a slot that was not let go yet."""
        return bool(self._slots)

    def statuses(self) -> Iterator[fleet_pb2.SlotStatus]:
        """How every slot stands, also the last few that ended."""
        yield from (slot.status() for slot in self._slots.values())
        yield from self._past.values()

    def in_hand(self) -> Iterator[Attempt]:
        """The attempts that the vehicle has not finished."""
        for slot in self._slots.values():
            yield from slot.shards.held()
        for attempts in self._in_hand.values():
            yield from attempts

    def logs_of(self, pod_uid: str) -> Logs | None:
        """The logs of a slot; None when there are none any more."""
        return self._logs.get(pod_uid)

    def welcomed(self) -> None:
        """A session has opened: what was asked in the last one is void."""
        for slot in self._slots.values():
            slot.shards.welcomed()

    def repeat(self, pod_uid: str) -> bool:
        """Says again how that slot stands; false when there is none of that name."""
        if pod_uid in self._slots:
            self._report(self._slots[pod_uid].status())
        elif pod_uid in self._past:
            self._report(self._past[pod_uid])
        return pod_uid in self._slots or pod_uid in self._past

    def start(self, assignment: fleet_pb2.Assignment) -> None:
        """Begins a slot, or says why the guard forbids it."""
        state = self._guard_state()
        if state.may_start:
            self._start(assignment)
        else:
            self._give_back(state.reasons[0], assignment.pod_uid)
            self._remember(_ended(assignment.pod_uid, state.reasons[0], state.message))
            self.refuse(assignment.pod_uid, state.reasons[0], state.message)

    def refuse(self, pod_uid: str, reason: Reason, message: str) -> None:
        """Says that there will be no such slot. No slot fails of it: the gateway finds another vehicle."""
        _log.warning("start refused", pod_uid=pod_uid[:64], reason=reason, message=message)
        self._report(_ended(pod_uid, reason, message))

    def end(self, end: fleet_pb2.EndAssignment) -> None:
        """Ends a slot as the gateway wants it."""
        slot = self._slots.get(end.pod_uid)
        if slot is not None and not slot.has_ended.is_set():
            slot.end(Ending(end.reason, "the assignment was ended", end.grace_seconds))
            return
        self._give_back(end.reason, end.pod_uid)
        past = self._past.pop(end.pod_uid, None) or _ended(end.pod_uid, end.reason, "no such slot")
        self._report(slot.status() if slot is not None else past)

    def granted(self, grant: fleet_pb2.LeaseGrant) -> None:
        """Gives a grant to its slot, or back when that has ended meanwhile."""
        slot = self._slots.get(grant.pod_uid)
        if slot is not None:
            slot.shards.granted(grant)
        elif grant.shards:
            _log.info("granted too late, handed back", pod_uid=grant.pod_uid[:64], lease=grant.lease[:64])
            batch_uid = self._batch_uids.get(grant.pod_uid, "")
            book = self._vehicle.supply.book
            book.hand_back(book.new_in(grant, batch_uid), "")

    def lost(self, keys: AbstractSet[tuple[str, int]]) -> None:
        """Drops what is committed by now: lease and number of each shard."""
        for slot in self._slots.values():
            slot.shards.lost(keys)
        for uid, attempts in self._in_hand.items():
            self._in_hand[uid] = [attempt for attempt in attempts if attempt.key not in keys]
            self._vehicle.supply.book.lost(attempt for attempt in attempts if attempt.key in keys)

    def end_all(self, ending: Ending) -> None:
        """Ends every slot for a reason of the vehicle's own."""
        for slot in self._slots.values():
            slot.end(ending)

    async def have_ended(self, seconds: float) -> bool:
        """Waits until no process of a slot is left; false when there still is one after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for slot in list(self._slots.values()):
                    await slot.has_ended.wait()
                return True
        return False

    async def stop(self) -> None:
        """Lets go of slots that have ended; one whose program the kernel holds is not waited for."""
        for life in self._lives:
            life.cancel()
        if self._lives:
            await asyncio.wait(self._lives, timeout=LET_GO_SECONDS)

    async def forget(self, reason: Reason) -> None:
        """Gives back all that is in hand and knows no logs any more, once every slot has ended: files may go."""
        await asyncio.gather(*self._lives)
        self._give_back(reason)
        self._logs.clear()

    def _start(self, assignment: fleet_pb2.Assignment) -> None:
        _log.info("assigned", pod=assignment.pod_name, batch=assignment.batch_uid)
        uid = assignment.pod_uid
        in_hand = self._in_hand.pop(uid, [])
        self._give_back("")
        before = [slot for slot in self._slots.values() if not slot.has_ended.is_set()]
        slot = self._slots[uid] = Slot(assignment, self._vehicle, in_hand, self._slot_changed)
        self._folders.leave(slot.folder)
        _put(self._logs, uid, slot.logs)
        _put(self._batch_uids, uid, assignment.batch_uid)
        self._report(slot.status())
        life = asyncio.create_task(self._live(slot, before), name=f"slot {assignment.pod_name}")
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)

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

    def _give_back(self, reason: str, pod_uid: str | None = None) -> None:
        """Hands back what an earlier agent had in hand, for that slot or for all."""
        for uid in list(self._in_hand) if pod_uid is None else [pod_uid]:
            self._vehicle.supply.book.hand_back(self._in_hand.pop(uid, []), reason)

    def _remember(self, status: fleet_pb2.SlotStatus) -> None:
        """Keeps the last words of slots, which the next Hello repeats."""
        _put(self._past, status.pod_uid, status)

    def _slot_changed(self, slot: Slot) -> None:
        self._report(slot.status())

    def _report(self, status: fleet_pb2.SlotStatus) -> None:
        self._vehicle.supply.session.say(fleet_pb2.VehicleMessage(slot_status=status))


def _put(last: dict[str, _T], uid: str, value: _T) -> None:
    """Keeps *value* as the newest of the last few."""
    last.pop(uid, None)
    last[uid] = value
    while len(last) > PAST_SLOTS:
        del last[next(iter(last))]


def _ended(uid: str, reason: str, message: str) -> fleet_pb2.SlotStatus:
    return fleet_pb2.SlotStatus(pod_uid=uid, ended=True, reason=reason, message=message)


def _clear(folder: Path, keep: Iterable[str]) -> None:
    """Removes what is in *folder* but the entries of those names."""
    kept = set(keep)
    for entry in [entry for entry in folder.iterdir() if entry.name not in kept]:
        shutil.rmtree(entry, ignore_errors=True)
