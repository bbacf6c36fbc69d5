"""The gateway's orders, obeyed one after the other, each noted in the journal before anything is done about it."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from parkade_agent.errors import JournalBroken
from parkade_agent.journal.attempts import Left
from parkade_agent.journal.journal import Journal
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.wellknown import Reason
from parkade_core.vehicle.assignment import Memory, Order, check

_NONCE_BYTES: Final = 16


class Obeyed(Protocol):
    """What orders are about: the vehicle's slots."""

    def repeat(self, pod_uid: str) -> bool:
        """Says again how that slot stands; false when there is none of that name."""

    def start(self, assignment: fleet_pb2.Assignment) -> None:
        """Begins a slot, or says why not."""

    def refuse(self, pod_uid: str, reason: Reason, message: str) -> None:
        """Says that there will be no such slot."""

    def end(self, end: fleet_pb2.EndAssignment) -> None:
        """Ends a slot."""


class Assignments:
    """Hears orders in the event loop and keeps their sequence. *vehicle* tells the vehicle's own name.

    `is_ready` says whether the journal was read: the last counter, and what else an earlier agent has left, which
    *recover* takes up. Before, nothing is obeyed.
    """

    def __init__(
        self, journal: Journal, slots: Obeyed, vehicle: Callable[[], str], recover: Callable[[Left], None]
    ) -> None:
        self._journal = journal
        self._slots = slots
        self._vehicle = vehicle
        self._recover = recover
        self._memory = Memory("", b"", 0)
        self.is_ready = False
        self._orders: asyncio.Queue[fleet_pb2.Assignment | fleet_pb2.EndAssignment] = asyncio.Queue()
        with contextlib.suppress(JournalBroken):
            self._take_up(*self._read())

    async def recall(self) -> bool:
        """Tries once more to read what could not be read at the start; whether it is known now."""
        with contextlib.suppress(JournalBroken):
            self._take_up(*await asyncio.to_thread(self._read))
        return self.is_ready

    def introduce(self, hello: fleet_pb2.Hello) -> None:
        """Writes into *hello* by what an assignment of the session that it opens is known.

        Assignments of the session before that wait are dropped: refused, they would end what the new one assigns.
        """
        self._drop_assignments()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        self._memory = Memory(self._vehicle(), nonce, self._memory.last_counter)
        hello.nonce, hello.last_counter = nonce, self._memory.last_counter
        hello.clock_milliseconds = now_milliseconds()
        hello.unix_milliseconds = round(time.time() * 1000)

    def hear(self, order: fleet_pb2.Assignment | fleet_pb2.EndAssignment) -> None:
        """Takes an order; it is looked at after those before it."""
        self._orders.put_nowait(order)

    async def run(self) -> None:
        """Obeys or refuses order after order; returns never."""
        while True:
            order = await self._orders.get()
            if isinstance(order, fleet_pb2.EndAssignment):
                self._slots.end(order)
            elif not self._slots.repeat(order.pod_uid):
                await self._look_at(order)

    async def _look_at(self, assignment: fleet_pb2.Assignment) -> None:
        refusal = check(_order(assignment), self._memory, now_milliseconds())
        if refusal is not None:
            self._slots.refuse(assignment.pod_uid, Reason.ASSIGNMENT_REFUSED, refusal.message)
            return
        try:
            await self._note(assignment)
        except JournalBroken as error:
            self._slots.refuse(assignment.pod_uid, Reason.NO_SPACE, error.outward)
        else:
            self._slots.start(assignment)

    def _read(self) -> tuple[int, Left]:
        """The last counter and what an earlier agent has left. Waits for the disk. Raises JournalBroken."""
        return self._journal.last_counter(), self._journal.attempts.left()

    def _take_up(self, last_counter: int, left: Left) -> None:
        self._memory = replace(self._memory, last_counter=last_counter)
        self._recover(left)
        self.is_ready = True

    def _drop_assignments(self) -> None:
        waiting = [self._orders.get_nowait() for _ in range(self._orders.qsize())]
        for order in waiting:
            if isinstance(order, fleet_pb2.EndAssignment):
                self._orders.put_nowait(order)

    async def _note(self, order: fleet_pb2.Assignment) -> None:
        if not self.is_ready:
            raise JournalBroken(self._journal.trouble)
        # Before it is awaited: a session that opens meanwhile must not offer this counter again.
        self._memory = replace(self._memory, last_counter=order.counter)
        await asyncio.to_thread(
            self._journal.obey, order.counter, order.pod_uid, order.batch_uid, order.bundle_digest
        )


def now_milliseconds() -> int:
    """The vehicle's clock: it counts on while the vehicle sleeps, and never steps with the time of day."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def _order(assignment: fleet_pb2.Assignment) -> Order:
    return Order(
        vehicle=assignment.vehicle,
        nonce=assignment.nonce,
        counter=assignment.counter,
        not_after=assignment.not_after_milliseconds,
        pod_uid=assignment.pod_uid,
        batch_uid=assignment.batch_uid,
        bundle_digest=assignment.bundle_digest,
        input_digest=assignment.input_digest,
    )
