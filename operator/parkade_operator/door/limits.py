"""What the door lets in: of sockets, bytes and time by gRPC itself, of messages and calls by a bucket a vehicle."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from parkade_core.bucket import Bucket, Limit, is_full, take

OPTIONS: Final = (
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Without this an unanswered keepalive ends the connection after a minute only, whatever its own timeout says.
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 30_000),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
)
"""Of every port: a socket is given up when its peer is silent for 20 s, needs over 10 s to say who it is, or asks
nothing for 30 s."""

DOOR_OPTIONS: Final = (
    *OPTIONS,
    ("grpc.max_receive_message_length", 1024 * 1024),
    ("grpc.max_concurrent_streams", 32),
    ("grpc.max_allowed_incoming_connections", 12_000),
)
"""A cell has up to 5,000 vehicles, and each may have two connections while one is dying."""

ENROLMENT_OPTIONS: Final = (
    *OPTIONS,
    ("grpc.max_receive_message_length", 32 * 1024),
    ("grpc.max_concurrent_streams", 4),
    ("grpc.max_allowed_incoming_connections", 500),
)

FIRST_MESSAGE_SECONDS: Final = 10.0
UNREAD_SECONDS: Final = 20.0
"""How long a message may wait for a vehicle to read."""
STORE_SECONDS: Final = 120.0
LEAST_BYTES_PER_SECOND: Final = 8 * 1024
"""A store may take STORE_SECONDS, and as long as the bytes that came needed at this pace."""

VEHICLE: Final = Limit(rate=300.0, burst=2000.0)
"""Messages and calls of one vehicle: a shard of one record needs one of each, and a vehicle does a hundred a second."""
SESSION_COST: Final = 150.0
"""Of a vehicle's bucket, for a session or a certificate: two that share one key replace each other twice a second at
most."""
_BYTES_A_TOKEN: Final = 16 * 1024
ENROLMENTS: Final = Limit(rate=20.0, burst=100.0)
ENROLMENTS_OF_ADDRESS: Final = Limit(rate=10.0, burst=60.0)
"""Less than that of everybody, so that no single caller takes it all; a depot's vehicles may share one address."""
MOST_TRANSFERS: Final = 8
MOST_HELD_BYTES: Final = 192 * 1024 * 1024
"""Of pieces that are being taken, all vehicles together: the gateway's memory is a few times that."""
MOST_CALLERS: Final = 100_000
_SWEEP_SECONDS: Final = 60.0


def cost_of_message(size: int) -> float:
    """What a session's message of *size* bytes takes from the vehicle's bucket."""
    return max(1.0, size / _BYTES_A_TOKEN)


def address_of(peer: str) -> str:
    """The address in a peer's name as gRPC writes it (`ipv4:192.0.2.1:40000`), without the port."""
    return peer.rpartition(":")[0]


class Exhausted(Exception):
    """The caller asks more than its share; the message says when to try again."""


class Meter:
    """One bucket for each caller's name. A caller that was quiet for long costs no memory.

    Of more than *most* callers, those that have been quiet for longest are forgotten.
    """

    def __init__(
        self, limit: Limit, clock: Callable[[], float] = time.monotonic, most: int = MOST_CALLERS
    ) -> None:
        self._limit = limit
        self._most = most
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._swept_at = clock()

    def charge(self, caller: str, cost: float = 1.0) -> None:
        """Takes *cost* from the caller's bucket. Raises Exhausted."""
        now = self._clock()
        self._sweep(now)
        taken = take(self._buckets.pop(caller, None), self._limit, now, cost)
        self._buckets[caller] = taken.bucket
        if len(self._buckets) > self._most:
            del self._buckets[next(iter(self._buckets))]
        if not taken.granted:
            wait = max(0.1, taken.wait_seconds)
            raise Exhausted(f"more than {self._limit.rate:g} a second: try again in {wait:.1f} s")

    def _sweep(self, now: float) -> None:
        if now - self._swept_at >= _SWEEP_SECONDS:
            self._swept_at = now
            full = [name for name, bucket in self._buckets.items() if is_full(bucket, self._limit, now)]
            for name in full:
                del self._buckets[name]


class Transfers:
    """How many byte streams each vehicle has open, and how many bytes all of them hold in memory."""

    def __init__(self, most: int = MOST_TRANSFERS, most_held: int = MOST_HELD_BYTES) -> None:
        self._most = most
        self._most_held = most_held
        self._held = 0
        self._open: dict[str, int] = {}

    @contextmanager
    def memory(self) -> Iterator[Callable[[int], None]]:
        """What is yielded takes room for so many bytes more, and raises Exhausted when there is none."""
        mine = 0

        def hold(size: int) -> None:
            nonlocal mine
            if self._held + size > self._most_held:
                raise Exhausted("too many results are being taken just now: try again")
            mine += size
            self._held += size

        try:
            yield hold
        finally:
            self._held -= mine

    @contextmanager
    def one(self, vehicle: str) -> Iterator[None]:
        """Counts one while it is open. Raises Exhausted."""
        count = self._open.get(vehicle, 0)
        if count >= self._most:
            raise Exhausted(f"{count} transfers are open already: finish one first")
        self._open[vehicle] = count + 1
        try:
            yield
        finally:
            self._open[vehicle] -= 1
            if not self._open[vehicle]:
                del self._open[vehicle]
