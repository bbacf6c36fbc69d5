"""The shards of one slot: leased ahead, fetched into its folder, handed to the runner, finished or given back."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import structlog

from parkade_agent.attempts import AttemptBook
from parkade_agent.door import Door
from parkade_agent.errors import DoorRefused, JournalBroken
from parkade_agent.folders import is_file_name
from parkade_agent.journal.attempts import Attempt
from parkade_agent.pieces import read_whole
from parkade_agent.session import Session
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_api.wellknown import Reason, ShardFault
from parkade_core.vehicle.appetite import plan_lease

NEXT_SECONDS = 5.0
MOST_TRIES = 3
_PACE_WEIGHT = 0.3
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Supply:
    """From where a vehicle's slots have shards, and who keeps what they make of them."""

    door: Door
    session: Session
    book: AttemptBook


@dataclass(slots=True)
class _Held:
    """A shard in hand, until it is finished or given back."""

    attempt: Attempt
    is_fetched: bool = False
    started_at: float = 0.0
    tries: int = 0

    @property
    def shard(self) -> fleet_pb2.LeasedShard:
        return self.attempt.shard

    @property
    def input_name(self) -> str:
        return f"{self.shard.shard:06d}-{self.shard.attempt}.in"


class Shards:
    """Moves the shards of one slot between door and runner. Everything runs in the event loop.

    *in_hand* are those that the slot had before the agent was killed: they are gone on with. *on_idle* hears whether
    there is nothing to do, *on_disk_failed* that the vehicle cannot keep a shard, with the reason as a sentence.
    `is_at_work` says whether the runner was given a shard and has not come back since.
    """

    def __init__(
        self,
        assignment: fleet_pb2.Assignment,
        folder: Path,
        supply: Supply,
        in_hand: Iterable[Attempt],
        on_idle: Callable[[bool], None],
        on_disk_failed: Callable[[str], None],
    ) -> None:
        self._assignment = assignment
        self._folder = folder
        self._door = supply.door
        self._session = supply.session
        self._book = supply.book
        self._on_idle = on_idle
        self._on_disk_failed = on_disk_failed
        self._held = {each.key: _Held(each) for each in in_hand}
        self._arrived = asyncio.Event()
        self._seconds_per_shard: float | None = None
        self._has_runner = False
        self.is_at_work = False
        self._is_asking = False
        self._retry: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._fetches: set[asyncio.Task[None]] = set()
        self._book.listeners.append(self._ask)

    def held(self) -> list[Attempt]:
        """What this slot has in hand."""
        return [held.attempt for held in self._held.values()]

    def welcomed(self) -> None:
        """A session has opened: what was asked in the last one is void."""
        self._is_asking = False
        self._ask_again()

    def granted(self, grant: fleet_pb2.LeaseGrant) -> None:
        """The gateway's answer to a lease request."""
        self._is_asking = False
        granted = self._book.new_in(grant, self._assignment.batch_uid)
        known = {held.attempt.uid for held in self._held.values()}
        new = [_Held(attempt) for attempt in granted if attempt.uid not in known]
        if self._is_closed:
            self._book.hand_back(granted, "")
        elif new:
            self._held.update({held.attempt.key: held for held in new})
            self._on_idle(False)
            self._start(self._take(new))
        else:
            self._on_idle(not self._held)
            seconds = max(0.1, grant.retry_after_seconds)
            self._retry = asyncio.get_running_loop().call_later(seconds, self._ask_again)

    def lost(self, keys: AbstractSet[tuple[str, int]]) -> None:
        """Drops what is committed by now: lease and number of each. The sidecar ends a shard whose file is gone."""
        lost = [held for key, held in self._held.items() if key in keys]
        for held in lost:
            _log.info("shard committed by another attempt", lease=held.attempt.lease, shard=held.shard.shard)
            del self._held[held.attempt.key]
            self._remove(held.input_name)
        self._book.lost(held.attempt for held in lost)
        self._ask()

    async def next(self) -> vehicle_pb2.NextReply:
        """The next shard for the runner; empty when there is none for some seconds.

        A runner has one shard at a time: one that asks without having finished the last gets it again.
        """
        self.is_at_work = False
        if not self._has_runner:
            self._has_runner = True
            self._start(self._fetch_each(list(self._held.values())))
        self._ask()
        self._arrived.clear()
        if (held := self._next_fetched()) is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), NEXT_SECONDS)
            if (held := self._next_fetched()) is None:
                return vehicle_pb2.NextReply()
        held.started_at = time.monotonic()
        held.tries += 1
        self.is_at_work = True
        return vehicle_pb2.NextReply(
            lease=held.attempt.lease,
            shard=held.shard.shard,
            attempt=held.shard.attempt,
            input_name=held.input_name,
            input_sha256=held.shard.sha256,
            input_digest=self._assignment.input_digest,
        )

    def begun_at(self, lease: str, shard: int) -> float:
        """When the runner was last given that shard, monotonic; 0 when it is not held."""
        held = self._held.get((lease, shard))
        return held.started_at if held is not None else 0.0

    async def finish(self, request: vehicle_pb2.FinishRequest) -> None:
        """The runner's word on one shard: its result, which is safe when this returns, or why there is none."""
        self.is_at_work = False
        held = self._held.get((request.lease, request.shard))
        if held is None or held.shard.attempt != request.attempt:
            self._remove(request.result_name)
            return
        self._remove(held.input_name)
        if request.reason == Reason.NO_SPACE:
            self._cannot_keep([held], request.message)
        elif not request.HasField("outcome") or not is_file_name(request.result_name):
            _log.warning("shard failed", shard=request.shard, reason=request.reason, message=request.message)
            self._give_up(held, request.reason or ShardFault.NO_RESULT, request.message)
        else:
            await self._keep(held, request)
        self._ask()

    def close(self, reason: str) -> None:
        """Ends leasing, hands back what is in hand; what is finished is still sent."""
        self._is_closed = True
        self._book.listeners.remove(self._ask)
        if self._retry is not None:
            self._retry.cancel()
        for task in self._fetches:
            task.cancel()
        self._book.hand_back(self.held(), reason)
        self._held.clear()
        self._book.flush(self._assignment.batch_uid)

    def _next_fetched(self) -> _Held | None:
        for held in list(self._held.values()):
            if held.is_fetched and held.tries < MOST_TRIES:
                return held
            if held.is_fetched:
                self._give_up(
                    held, ShardFault.RUNNER_LOST, f"the runner ended {MOST_TRIES} times during this shard"
                )
        return None

    async def _keep(self, held: _Held, request: vehicle_pb2.FinishRequest) -> None:
        seconds = time.monotonic() - held.started_at
        before = seconds if self._seconds_per_shard is None else self._seconds_per_shard
        self._seconds_per_shard = before + _PACE_WEIGHT * (seconds - before)
        # The book has it from here on, before anything is awaited: a call that is cancelled leaves it with nobody.
        del self._held[held.attempt.key]
        await self._book.finish(held.attempt, self._folder / request.result_name, request.outcome)
        if not self._held:
            self._book.flush(self._assignment.batch_uid)

    def _ask_again(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._ask()

    def _ask(self) -> None:
        planned = plan_lease(len(self._held), self._seconds_per_shard)
        want = min(planned, self._book.room - len(self._held))
        if want < planned:
            self._book.flush(self._assignment.batch_uid)
        # Before a runner has asked, the slot has no folder yet to fetch shards into.
        may_ask = self._session.is_open and self._has_runner
        if want <= 0 or not may_ask or self._is_asking or self._retry or self._is_closed:
            return
        self._is_asking = True
        request = fleet_pb2.LeaseRequest(
            pod_uid=self._assignment.pod_uid, batch_uid=self._assignment.batch_uid, want=want
        )
        self._session.say(fleet_pb2.VehicleMessage(lease_request=request))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="fetch shards")
        self._fetches.add(task)
        task.add_done_callback(self._fetches.discard)

    async def _take(self, new: Sequence[_Held]) -> None:
        try:
            await self._book.take([held.attempt for held in new])
        except JournalBroken as error:
            self._cannot_keep(new, error.outward)
        else:
            await self._fetch_each(new)

    async def _fetch_each(self, new: Sequence[_Held]) -> None:
        for number, held in enumerate(new):
            try:
                await self._fetch(held)
            except DoorRefused as error:
                _log.warning("shard not fetched", shard=held.shard.shard, error=str(error))
                self._give_up(held, ShardFault.SHARD_DAMAGED, str(error))
            except OSError as error:
                self._cannot_keep(new[number:], f"a shard cannot be kept: {error.strerror or error}")
                return
            else:
                self._arrive(held)

    def _cannot_keep(self, new: Sequence[_Held], message: str) -> None:
        """The vehicle is to blame, not the shards: the next vehicle may have them."""
        for held in new:
            self._give_up(held, Reason.NO_SPACE, message)
        self._on_disk_failed(message)

    async def _fetch(self, held: _Held) -> None:
        file = self._folder / held.input_name
        # It may lie there since before the agent was killed.
        if await asyncio.to_thread(read_whole, file, held.shard) is not None:
            return
        ref = fleet_pb2.ShardRef(
            batch_uid=held.attempt.batch_uid, lease=held.attempt.lease, shard=held.shard.shard
        )
        data = await self._door.fetch(fleet_pb2.FetchRequest(shard=ref), held.shard.size)
        if hashlib.sha256(data).hexdigest() != held.shard.sha256:
            raise DoorRefused("DATA_LOSS", "the shard's bytes have another digest than its lease says")
        await asyncio.to_thread(_lay, file, data)

    def _arrive(self, held: _Held) -> None:
        held.is_fetched = True
        if held.attempt.key in self._held:
            self._arrived.set()
        else:
            self._remove(held.input_name)  # it was lost while its bytes were on their way

    def _remove(self, name: str) -> None:
        if is_file_name(name):
            with contextlib.suppress(OSError):  # a folder in its place goes with the slot's folder
                (self._folder / name).unlink()

    def _give_up(self, held: _Held, reason: str, message: str = "") -> None:
        if self._held.pop(held.attempt.key, None) is not None:
            self._book.hand_back([held.attempt], reason, message)


def _lay(file: Path, data: bytes) -> None:
    # The slot's programs write this folder: what they may have put there in the file's place is not followed.
    file.unlink(missing_ok=True)
    with file.open("xb") as new:
        new.write(data)
