"""Assignments that a vehicle must not obey, each made from one that it would."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_core.vehicle.assignment import MOST_AHEAD, MOST_STEP


@dataclass(frozen=True)
class Forgery:
    """How it is made: from a good assignment, and from those that the vehicle has obeyed before it, oldest first."""

    name: str
    make: Callable[[pb.Assignment, list[pb.Assignment]], pb.Assignment]


def _changed(name: str, **fields: Any) -> Forgery:
    def make(good: pb.Assignment, _: list[pb.Assignment]) -> pb.Assignment:
        forged = pb.Assignment()
        forged.CopyFrom(good)
        for field, value in fields.items():
            setattr(forged, field, value(getattr(good, field)) if callable(value) else value)
        return forged

    return Forgery(name, make)


def _replayed(name: str, which: int, **fields: Any) -> Forgery:
    def make(_: pb.Assignment, obeyed: list[pb.Assignment]) -> pb.Assignment:
        return _changed(name, **fields).make(obeyed[which], obeyed)

    return Forgery(name, make)


_VEHICLES: Final = ("", "v", "V1", "v1 ", "v2", "v1\0")
_UIDS: Final = (
    "", ".", "..", "../../etc", "/etc/passwd", "a/b", "a\0b", "a\nb", "x" * 65, "-rf", "~root", "a b", "\u0430da",
    "%2e%2e",
)  # fmt: skip
_DIGESTS: Final = (
    "",
    "sha256:",
    "sha256:../../bundles",
    "sha256:" + "A" * 64,
    "md5:" + "0" * 32,
    "sha256:" + "0" * 65,
)
_NONCES: Final[dict[str, Any]] = {
    "no nonce": b"",
    "another session's nonce": bytes(16),
    "half a nonce": lambda nonce: nonce[:8],
    "a nonce and more": lambda nonce: nonce + b"\0",
    "a nonce with one bit turned": lambda nonce: bytes([nonce[0] ^ 1]) + nonce[1:],
}
_COUNTERS: Final[dict[str, Any]] = {
    "counter 0": 0,
    "the counter that was obeyed last": lambda counter: counter - 1,
    "an older counter": lambda counter: max(0, counter - 2),
    "the first counter": 1,
    "a leap too far": lambda counter: counter + MOST_STEP,
    "half of all counters": 2**63,
    "the last counter of all": 2**64 - 1,
}
_ENDS: Final[dict[str, Any]] = {
    "no end": 0,
    "an end at the vehicle's start": 1,
    "expired a minute ago": lambda end: end - 120_000,
    "expired an hour ago": lambda end: end - 3_660_000,
    "good for more than an hour": lambda end: end + MOST_AHEAD,
    "good for half of all time": 2**63,
    "good for ever": 2**64 - 1,
}

FORGERIES: Final = (
    *(_changed(f"for vehicle {name!r}", vehicle=name) for name in _VEHICLES),
    *(_changed(name, nonce=nonce) for name, nonce in _NONCES.items()),
    *(_changed(name, counter=counter) for name, counter in _COUNTERS.items()),
    *(_changed(name, not_after_milliseconds=end) for name, end in _ENDS.items()),
    *(_changed(f"pod {uid!r}", pod_uid=uid) for uid in _UIDS),
    *(_changed(f"batch {uid!r}", batch_uid=uid) for uid in _UIDS[:4]),
    *(_changed(f"bundle {digest!r}", bundle_digest=digest) for digest in _DIGESTS),
    *(_changed(f"input {digest!r}", input_digest=digest) for digest in _DIGESTS[:2]),
    _replayed("the first one again", 0),
    _replayed("the tenth last one again", -10),
    _replayed("the last one under another name", -1, pod_uid="renamed"),
    _replayed(
        "the last one with a new end", -1, pod_uid="late", not_after_milliseconds=lambda end: end + 60_000
    ),
)
