"""The shards of one slot: leased ahead, fetched into the slot's folder, handed to the runner, given back or stored."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from parkade_agent import wire
from parkade_agent.door import Door
from parkade_agent.errors import DoorRefused
from parkade_agent.folders import is_file_name
from parkade_agent.pieces import Finished, Pieces
from parkade_agent.session import Session
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_api.wellknown import ShardFault
from parkade_core.vehicle.appetite import plan_lease

NEXT_SECONDS = 5.0
MOST_TRIES = 3
_PACE_WEIGHT = 0.3
_log = structlog.get_logger()


@dataclass(slots=True)
class _Held:
    """A leased shard until its verdict is heard."""

    lease: str
    shard: fleet_pb2.LeasedShard
    is_fetched: bool = False
    is_finished: bool = False
    started_at: float = 0.0
    tries: int = 0

    @property
    def input_name(self) -> str:
        return f"{self.shard.shard:06d}-{self.shard.attempt}.in"


class Shards:
    """Moves the shards of one slot between door and runner. Everything runs in the event loop."""

    def __init__(
        self,
        assignment: fleet_pb2.Assignment,
        folder: Path,
        door: Door,
        session: Session,
        on_idle: Callable[[bool], None],
        on_disk_failed: Callable[[OSError], None],
    ) -> None:
        self._assignment = assignment
        self._folder = folder
        self._door = door
        self._session = session
        self._on_idle = on_idle
        self._on_disk_failed = on_disk_failed
        self._held: dict[tuple[str, int], _Held] = {}
        self._arrived = asyncio.Event()
        self._pieces = Pieces(assignment.batch_uid, door, self._settled, self._failed)
        self._seconds_per_shard: float | None = None
        self._has_runner = False
        self._is_asking = False
        self._retry: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._fetches: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Stores finished shards until `close` and until the last one is settled.

        When storing fails by itself, everything is handed back and the error raised.
        """
        try:
            await self._pieces.run()
        except Exception as error:
            _log.error("storing failed", error=repr(error))
            self._is_closed = True
            self._release(list(self._held.values()), "")
            raise

    def held(self) -> list[fleet_pb2.HeldLease]:
        """What this slot holds leases of, for a gateway that has just started."""
        leases: dict[str, fleet_pb2.HeldLease] = {}
        for held in self._held.values():
            batch_uid = self._assignment.batch_uid
            lease = leases.setdefault(held.lease, fleet_pb2.HeldLease(batch_uid=batch_uid, lease=held.lease))
            lease.shards.append(held.shard)
        return list(leases.values())

    def welcomed(self) -> None:
        """A session has opened: what was asked in the last one is void."""
        self._is_asking = False
        self._ask_again()

    def granted(self, grant: fleet_pb2.LeaseGrant) -> None:
        """The gateway's answer to a lease request."""
        self._is_asking = False
        if self._is_closed:
            self._hand_back(grant.lease, [shard.shard for shard in grant.shards], "")
            return
        new = [_Held(grant.lease, shard) for shard in grant.shards]
        self._held.update({(held.lease, held.shard.shard): held for held in new})
        if new:
            self._on_idle(False)
            self._fetch_all(new)
        else:
            self._on_idle(not self._unfinished())
            seconds = max(0.1, grant.retry_after_seconds)
            self._retry = asyncio.get_running_loop().call_later(seconds, self._ask_again)

    async def next(self) -> vehicle_pb2.NextReply:
        """The next shard for the runner; empty when there is none for some seconds.

        A runner has one shard at a time: one that asks without having finished the last gets it again.
        """
        self._has_runner = True
        self._ask()
        self._arrived.clear()
        if (held := self._next_fetched()) is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), NEXT_SECONDS)
            if (held := self._next_fetched()) is None:
                return vehicle_pb2.NextReply()
        held.started_at = time.monotonic()
        held.tries += 1
        return vehicle_pb2.NextReply(
            lease=held.lease,
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

    def finish(self, request: vehicle_pb2.FinishRequest) -> None:
        """The runner's word on one shard: its result, or why there is none."""
        held = self._held.get((request.lease, request.shard))
        if held is None or held.is_finished or held.shard.attempt != request.attempt:
            return
        (self._folder / held.input_name).unlink(missing_ok=True)
        if not request.HasField("outcome") or not is_file_name(request.result_name):
            _log.warning("shard failed", shard=request.shard, reason=request.reason, message=request.message)
            self._give_up(held, request.reason or ShardFault.NO_RESULT, request.message)
        else:
            self._keep(held, request)
        self._ask()

    def close(self, reason: str) -> None:
        """Ends leasing, hands back what is not finished; finished shards are still stored by `run`."""
        self._is_closed = True
        if self._retry is not None:
            self._retry.cancel()
        for task in self._fetches:
            task.cancel()
        self._release(self._unfinished(), reason)
        self._pieces.close()

    def _release(self, given_back: list[_Held], reason: str) -> None:
        by_lease: dict[str, list[int]] = {}
        for held in given_back:
            by_lease.setdefault(held.lease, []).append(held.shard.shard)
            del self._held[held.lease, held.shard.shard]
        for lease, shards in by_lease.items():
            self._hand_back(lease, shards, reason)

    def _next_fetched(self) -> _Held | None:
        for held in self._unfinished():
            if held.is_fetched and held.tries < MOST_TRIES:
                return held
            if held.is_fetched:
                self._give_up(
                    held, ShardFault.RUNNER_LOST, f"the runner ended {MOST_TRIES} times during this shard"
                )
        return None

    def _keep(self, held: _Held, request: vehicle_pb2.FinishRequest) -> None:
        held.is_finished = True
        seconds = time.monotonic() - held.started_at
        before = seconds if self._seconds_per_shard is None else self._seconds_per_shard
        self._seconds_per_shard = before + _PACE_WEIGHT * (seconds - before)
        result = self._folder / request.result_name
        self._pieces.add(Finished(held.lease, held.shard, result, request.outcome))
        if not self._unfinished():
            self._pieces.flush()

    def _unfinished(self) -> list[_Held]:
        return [held for held in self._held.values() if not held.is_finished]

    def _ask_again(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._ask()

    def _ask(self) -> None:
        want = plan_lease(len(self._unfinished()), self._seconds_per_shard)
        # Before a runner has asked, the slot has no folder yet to fetch shards into.
        may_ask = self._session.is_open and self._has_runner
        if want <= 0 or not may_ask or self._is_asking or self._retry or self._is_closed:
            return
        self._is_asking = True
        request = fleet_pb2.LeaseRequest(
            pod_uid=self._assignment.pod_uid, batch_uid=self._assignment.batch_uid, want=want
        )
        self._session.say(fleet_pb2.VehicleMessage(lease_request=request))

    def _fetch_all(self, new: list[_Held]) -> None:
        task = asyncio.create_task(self._fetch_each(new), name="fetch shards")
        self._fetches.add(task)
        task.add_done_callback(self._fetches.discard)

    async def _fetch_each(self, new: list[_Held]) -> None:
        for held in new:
            try:
                await self._fetch(held)
            except DoorRefused as error:
                _log.warning("shard not fetched", shard=held.shard.shard, error=str(error))
                self._give_up(held, ShardFault.SHARD_DAMAGED, str(error))
            except OSError as error:
                # The vehicle is to blame, not the shard: the next vehicle may have it.
                self._give_up(held, "", str(error))
                self._on_disk_failed(error)
                return
            else:
                held.is_fetched = True
                self._arrived.set()

    async def _fetch(self, held: _Held) -> None:
        ref = fleet_pb2.ShardRef(
            batch_uid=self._assignment.batch_uid, lease=held.lease, shard=held.shard.shard
        )
        data = await self._door.fetch(fleet_pb2.FetchRequest(shard=ref), held.shard.size)
        if hashlib.sha256(data).hexdigest() != held.shard.sha256:
            raise DoorRefused("DATA_LOSS", "the shard's bytes have another digest than its lease says")
        await asyncio.to_thread((self._folder / held.input_name).write_bytes, data)

    def _settled(self, finished: Finished) -> None:
        self._held.pop((finished.lease, finished.shard.shard), None)

    def _failed(self, finished: Finished, fault: ShardFault, message: str) -> None:
        held = self._held.get((finished.lease, finished.shard.shard))
        if held is not None:
            self._give_up(held, fault, message)

    def _give_up(self, held: _Held, reason: str, message: str = "") -> None:
        self._held.pop((held.lease, held.shard.shard), None)
        self._hand_back(held.lease, [held.shard.shard], reason, message)

    def _hand_back(self, lease: str, shards: list[int], reason: str, message: str = "") -> None:
        if shards:
            batch_uid = self._assignment.batch_uid
            self._session.keep_saying(wire.handback(batch_uid, lease, shards, reason, message))
