"""Whether a vehicle obeys an assignment: it must be its own, of this session, new, still meant, and well formed.

The connection has proved who the gateway is. What is asked here holds when a message was kept back, repeated, sent
to another vehicle, or made by a gateway that an attacker has: then it reaches at most what a slot may do.
"""

import re
from dataclasses import dataclass
from typing import Final

from parkade_core.shown import shown

MOST_AHEAD: Final = 3600_000
"""Milliseconds that an assignment may be good for: with a longer one, one that was kept back is as good as new."""
MOST_STEP: Final = 1_000_000
"""A counter may not leap further, so that nobody uses up those to come."""

_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Order:
    """An assignment as it was heard; *not_after* is in milliseconds of the vehicle's clock."""

    vehicle: str
    nonce: bytes
    counter: int
    not_after: int
    pod_uid: str
    batch_uid: str
    bundle_digest: str
    input_digest: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What the vehicle holds an order against: its name, its session's nonce, the highest counter that it obeyed."""

    vehicle: str
    nonce: bytes
    last_counter: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order is not obeyed, as a sentence."""

    message: str


def check(order: Order, memory: Memory, now: int) -> Refusal | None:
    """Why the vehicle does not obey *order*; None when it does. *now* is milliseconds on its own clock."""
    problem = (
        _problem_of_address(order, memory) or _problem_of_time(order, memory, now) or _problem_of_names(order)
    )
    return None if problem is None else Refusal(problem)


def is_name(text: str) -> bool:
    """Whether *text* can be the UID of something: no path, no pattern, no more than 64 characters."""
    return _NAME.fullmatch(text) is not None


def _problem_of_address(order: Order, memory: Memory) -> str | None:
    if not memory.vehicle or order.vehicle != memory.vehicle:
        return f"the assignment is for vehicle {shown(order.vehicle, 64)!r}; this is {memory.vehicle!r}"
    if not memory.nonce or order.nonce != memory.nonce:
        return "the assignment is of another session: its nonce is not the one that opened this session"
    return None


def _problem_of_time(order: Order, memory: Memory, now: int) -> str | None:
    if order.counter <= memory.last_counter:
        return f"the assignment's counter {order.counter} is not above {memory.last_counter}, which was obeyed before"
    if order.counter > memory.last_counter + MOST_STEP:
        return f"the assignment's counter leaps from {memory.last_counter} to {order.counter}"
    if order.not_after < now:
        return f"the assignment has expired {(now - order.not_after) / 1000:.1f} s ago"
    if order.not_after > now + MOST_AHEAD:
        ahead, most = (order.not_after - now) / 1000, MOST_AHEAD / 1000
        return f"the assignment would be good for {ahead:.0f} s; {most:.0f} s are the most"
    return None


def _problem_of_names(order: Order) -> str | None:
    for what, uid in (("pod", order.pod_uid), ("batch", order.batch_uid)):
        if not is_name(uid):
            return f"the {what}'s UID {shown(uid, 64)!r} is none: letters, digits and hyphens, at most 64"
    for what, digest in (("bundle", order.bundle_digest), ("input", order.input_digest)):
        if not _DIGEST.fullmatch(digest):
            return f"the {what}'s digest {shown(digest, 80)!r} is none of the form sha256:<64 hex digits>"
    return None
