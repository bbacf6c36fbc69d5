"""A door for agents under test (the recorded side of parkade.fleet.v1 on real mTLS), and agents as real processes."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from typing_extensions import override

from parkade_agent.runtime.cgroups import remove_leftovers
from parkade_api import vss
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc
from parkade_core.batch.lines import shard_line
from parkade_hack.pki import Authority, KeyPair, Subject
from support.parked import CABLE, PARKED, POLICY

Context = grpc.aio.ServicerContext[Any, Any]
INPUT_DIGEST = "sha256:" + "1" * 64
VEHICLE = "v1"
PATIENCE_SECONDS = 120.0
"""For what must come: a slot's programs get what all others leave of a machine. It ends a hang and promises nothing."""


@dataclass
class Door(fleet_pb2_grpc.FleetServicer):
    """Gives out one batch's shards and bundle, and keeps everything that the vehicle says."""

    bundle: Path
    shards: list[bytes]
    heard: list[pb.VehicleMessage] = field(default_factory=list)
    results: dict[int, bytes] = field(default_factory=dict)
    refusals: dict[int, str] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    stored: list[pb.PieceHeader] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    outbox: asyncio.Queue[pb.GatewayMessage | None] | None = None
    next_shard: int = 0
    leases: int = 0
    counter: int = 0
    fetched: list[int] = field(default_factory=list)
    handed_back: list[int] = field(default_factory=list)
    logs: list[bytes] = field(default_factory=list)
    policy: pb.Policy = field(default_factory=lambda: POLICY)

    @property
    def bundle_digest(self) -> str:
        """The digest that an assignment names."""
        return "sha256:" + hashlib.sha256((self.bundle / "bundle.json").read_bytes()).hexdigest()

    def assign(self, uid: str = "pod-1", bundle_digest: str | None = None) -> None:
        """Sends the vehicle a slot."""
        self.say(pb.GatewayMessage(assignment=self.order(uid, bundle_digest)))

    def order(self, uid: str = "pod-1", bundle_digest: str | None = None) -> pb.Assignment:
        """A good assignment: the next of the newest session, for a minute from now on."""
        self.counter = max(self.counter, self.hello.last_counter) + 1
        return pb.Assignment(
            pod_uid=uid,
            pod_name=f"slot-{uid}",
            batch_uid="batch-1",
            bundle_digest=bundle_digest or self.bundle_digest,
            input_digest=INPUT_DIGEST,
            vehicle=VEHICLE,
            nonce=self.hello.nonce,
            counter=self.counter,
            not_after_milliseconds=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000 + 60_000,
        )

    @property
    def hello(self) -> pb.Hello:
        """What opened the newest session."""
        return next(message.hello for message in reversed(self.heard) if message.HasField("hello"))

    def say(self, message: pb.GatewayMessage) -> None:
        """Sends the vehicle a message."""
        assert self.outbox is not None
        self.outbox.put_nowait(message)

    async def until(self, what: Callable[["Door"], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        """Waits until *what* is true of this door, and returns it."""
        async with asyncio.timeout(seconds), self.news:
            await self.news.wait_for(lambda: what(self))
            return what(self)

    def statuses(self, uid: str = "pod-1") -> list[pb.SlotStatus]:
        """What the vehicle said of that slot so far."""
        said = (message.slot_status for message in self.heard if message.HasField("slot_status"))
        return [status for status in said if status.pod_uid == uid]

    def ended(self, uid: str = "pod-1") -> pb.SlotStatus | None:
        """The slot's last words, once it has ended."""
        return next((status for status in self.statuses(uid) if status.ended), None)

    def policy_followed(self) -> bool:
        """Whether the vehicle's guard has heard the pool's rules."""
        told = [message.telemetry for message in self.heard if message.HasField("telemetry")]
        return bool(told) and "no pool rules" not in told[-1].guard_message

    def guard_states(self) -> list[str]:
        """The guard's states as told by telemetry."""
        return [message.telemetry.guard_state for message in self.heard if message.HasField("telemetry")]

    @override
    async def Session(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.VehicleMessage], context: Context
    ) -> AsyncIterator[pb.GatewayMessage]:
        outbox = self.outbox = asyncio.Queue()
        outbox.put_nowait(pb.GatewayMessage(welcome=pb.Welcome(gateway_version="test", beat_seconds=1)))
        outbox.put_nowait(pb.GatewayMessage(policy=self.policy))
        listener = asyncio.create_task(self._listen(request_iterator, outbox))
        try:
            while (message := await outbox.get()) is not None:
                yield message
        finally:
            listener.cancel()

    async def _listen(self, messages: AsyncIterator[pb.VehicleMessage], outbox: asyncio.Queue[Any]) -> None:
        async for message in messages:
            if message.HasField("hello"):
                self._take_back(message.hello)
            elif message.HasField("lease_request"):
                self.say(pb.GatewayMessage(lease_grant=self._grant(message.lease_request)))
            elif message.HasField("handback"):
                self.handed_back.extend(message.handback.shards)
            async with self.news:
                self.heard.append(message)
                self.news.notify_all()
        outbox.put_nowait(None)

    def _take_back(self, hello: pb.Hello) -> None:
        """Leases again what the vehicle never heard of: it names what it holds."""
        held = [shard.shard for lease in hello.leases for shard in lease.shards]
        self.next_shard = min(self.next_shard, 1 + max([*held, *self.results, *self.handed_back], default=-1))

    def _grant(self, request: pb.LeaseRequest) -> pb.LeaseGrant:
        first, self.next_shard = self.next_shard, min(len(self.shards), self.next_shard + request.want)
        if first == self.next_shard:
            return pb.LeaseGrant(pod_uid=request.pod_uid, retry_after_seconds=0.2)
        self.leases += 1
        shards = [
            pb.LeasedShard(
                shard=number,
                attempt=f"attempt-{self.leases}-{number}",
                records=body.count(b"\n"),
                size=len(body),
                sha256=hashlib.sha256(body).hexdigest(),
            )
            for number, body in enumerate(self.shards[first : self.next_shard], start=first)
        ]
        return pb.LeaseGrant(pod_uid=request.pod_uid, lease=f"lease-{self.leases}", shards=shards)

    @override
    async def Fetch(self, request: pb.FetchRequest, context: Context) -> AsyncIterator[pb.Chunk]:  # type: ignore[override]
        if request.HasField("shard"):
            data = self.shards[request.shard.shard]
            async with self.news:
                self.fetched.append(request.shard.shard)
                self.news.notify_all()
        else:
            path = self.bundle / request.bundle_file.name
            data = path.read_bytes() if path.exists() else b""
        for start in range(0, max(1, len(data)), 1 << 20):
            yield pb.Chunk(data=data[start : start + (1 << 20)])

    @override
    async def Store(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.StoreRequest], context: Context
    ) -> pb.StoreReply:
        parts = [part async for part in request_iterator]
        header, data = parts[0].header, b"".join(part.data for part in parts[1:])
        assert hashlib.sha256(data).hexdigest() == header.sha256
        for row in header.results:
            if row.shard in self.refusals:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, self.refusals[row.shard])
        async with self.news:
            self.stored.append(header)
            for row in header.results:
                body = data[row.offset : row.offset + row.size]
                assert hashlib.sha256(body).hexdigest() == row.sha256
                self.results.setdefault(row.shard, body)
            self.news.notify_all()
        outcomes = {True: pb.Verdict.LOST, False: pb.Verdict.COMMITTED}
        told = [(row.shard, outcomes[row.shard in self.lost]) for row in header.results]
        return pb.StoreReply(verdicts=[pb.Verdict(shard=shard, outcome=outcome) for shard, outcome in told])

    @override
    async def Logs(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.LogChunk], context: Context
    ) -> pb.LogsReply:
        log = b"".join([chunk.data + chunk.error.encode() async for chunk in request_iterator])
        async with self.news:
            self.logs.append(log)
            self.news.notify_all()
        return pb.LogsReply()


@dataclass(frozen=True)
class Certificates:
    """The door's pair and the vehicle's, each signed by a CA of its own folder."""

    ca: Path
    door: KeyPair
    vehicle: KeyPair


def certificates(folder: Path) -> Certificates:
    """Mints a CA, a serving certificate for the loopback and a vehicle's certificate."""
    authority = Authority(folder, "door-ca")
    localhost = Subject("door", dns=("localhost",), addresses=("127.0.0.1",), is_server=True)
    vehicle = Subject(VEHICLE, uris=(f"urn:parkade:vehicle:{VEHICLE}",))
    return Certificates(
        authority.files.cert, authority.issue("door", localhost), authority.issue("vehicle", vehicle)
    )


@contextlib.asynccontextmanager
async def open_door(door: Door, certs: Certificates, port: int = 0) -> AsyncIterator[int]:
    """Serves *door* with mTLS on a loopback port, which is yielded."""
    pair = (certs.door.key.read_bytes(), certs.door.cert.read_bytes())
    credentials = grpc.ssl_server_credentials([pair], certs.ca.read_bytes(), require_client_auth=True)
    server = grpc.aio.server()
    fleet_pb2_grpc.add_FleetServicer_to_server(door, server)
    bound = server.add_secure_port(f"127.0.0.1:{port}", credentials)
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(grace=None)


@dataclass(frozen=True)
class AgentProcess:
    """A running agent, its script of signals and its folder."""

    process: asyncio.subprocess.Process
    signals: Path
    state: Path

    def signal(self, **changes: float | bool | str) -> None:
        """Appends a reading; names are those of parkade_api.vss."""
        line = {"signals": {getattr(vss, name): value for name, value in changes.items()}}
        with self.signals.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@contextlib.asynccontextmanager
async def running_agent(
    folder: Path,
    port: int,
    certs: Certificates,
    *,
    cpu_share: float = 2.0,
    lanes: int = 1,
    command: tuple[str, ...] = ("parkade_agent",),
) -> AsyncIterator[AgentProcess]:
    """Starts `python -m` *command* with a parked vehicle's signals, and ends it afterwards."""
    signals = folder / "signals.jsonl"
    signals.write_text(json.dumps({"signals": PARKED}) + "\n", encoding="utf-8")
    environment = dict(os.environ, **CABLE) | {
        "PARKADE_DOOR_ADDRESS": f"127.0.0.1:{port}",
        "PARKADE_DOOR_CA_FILE": str(certs.ca),
        "PARKADE_CERT_FILE": str(certs.vehicle.cert),
        "PARKADE_KEY_FILE": str(certs.vehicle.key),
        "PARKADE_SIGNALS_FILE": str(signals),
        "PARKADE_STATE_DIR": str(folder / "state"),
        "PARKADE_CPU_SHARE": str(cpu_share),
        "PARKADE_LANES": str(lanes),
    }
    with (folder / "agent.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, env=environment, stderr=log
        )
    try:
        yield AgentProcess(process, signals, folder / "state")
    finally:
        await stop(process)
        remove_leftovers()  # of an agent that the test killed


async def stop(process: asyncio.subprocess.Process) -> int:
    """Ends an agent and returns its exit code."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    return await asyncio.wait_for(process.wait(), 15)


def shards_of(texts: list[str], per_shard: int) -> list[bytes]:
    """Shard objects of a batch that embeds *texts*."""
    lines = [shard_line(n, f"id-{n}", {"model": "m", "input": text}) for n, text in enumerate(texts, 1)]
    return [b"".join(lines[start : start + per_shard]) for start in range(0, len(lines), per_shard)]
