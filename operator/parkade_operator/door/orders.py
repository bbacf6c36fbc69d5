"""The orders of one session: for one vehicle, in one order, and good for a short while on the vehicle's own clock.

An assignment that was kept back, repeated, or sent to another vehicle or in another session is refused in the vehicle.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb

LIFETIME_SECONDS: Final = 60.0
"""From the order to the last moment at which it may be obeyed: a slow link takes seconds, a session that does not take
a message for 20 s ends, and two clocks drift by some seconds in a day, when its certificate ends the session anyway."""
LEAST_NONCE_BYTES: Final = 16
MOST_NONCE_BYTES: Final = 64
_MOST_COUNTER: Final = 2**63
_MOST_CLOCK: Final = 2**63


@dataclass(slots=True)
class Orders:
    """Counts on from what the vehicle has obeyed. `clock_offset` is the vehicle's clock less *clock*, in seconds."""

    nonce: bytes = b""
    counter: int = 0
    clock_offset: float = 0.0
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def begun(cls, hello: pb.Hello, clock: Callable[[], float] = time.monotonic) -> "Orders":
        """The orders of the session that *hello* opened just now."""
        return cls(hello.nonce, hello.last_counter, hello.clock_milliseconds / 1000 - clock(), clock)

    def stamp(self, assignment: pb.Assignment) -> None:
        """Makes *assignment* the next order."""
        self.counter += 1
        assignment.nonce = self.nonce
        assignment.counter = self.counter
        not_after = self.clock() + self.clock_offset + LIFETIME_SECONDS
        assignment.not_after_milliseconds = max(0, round(not_after * 1000))


def problem_of_hello(hello: pb.Hello) -> str | None:
    """Why no orders can be given to whoever says *hello*; None when they can."""
    if not LEAST_NONCE_BYTES <= len(hello.nonce) <= MOST_NONCE_BYTES:
        return (
            f"the hello's nonce has {len(hello.nonce)} bytes; {LEAST_NONCE_BYTES} to {MOST_NONCE_BYTES} are needed: "
            "an agent without one is of an older release, install the gateway's"
        )
    if hello.last_counter >= _MOST_COUNTER or hello.clock_milliseconds >= _MOST_CLOCK:
        return "the hello's counter or clock is beyond 2^63, which no vehicle reaches: its journal is damaged"
    return None
