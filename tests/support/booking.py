"""An agent's book of attempts by itself, on a real door, and its death at any of its writes."""

import contextlib
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from parkade_agent import durable
from parkade_agent.attempts import AttemptBook
from parkade_agent.door import Door as AgentDoor
from parkade_agent.door import Keys, open_channel
from parkade_agent.journal.attempts import Attempt, Attempts
from parkade_agent.journal.journal import Journal
from parkade_agent.session import Session, Voice
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from support.vehicles import Certificates

BODY = b"a line\n"
OUTCOME = vehicle_pb2.ShardOutcome(
    size=len(BODY), output_size=len(BODY), sha256=hashlib.sha256(BODY).hexdigest(), succeeded=1
)


def attempt(number: int) -> Attempt:
    """An attempt at the shard of that number."""
    shard = pb.LeasedShard(shard=number, attempt=f"attempt-{number}", size=7, sha256="0" * 64)
    return Attempt("pod-1", "batch-1", "lease-1", shard)


class Desk:
    """One vehicle's book and journal in the folder *state*; a new one is what the next agent has."""

    def __init__(self, state: Path, port: int, certs: Certificates) -> None:
        self.state = state
        self.results, self.work = state / "results", state / "work"
        for folder in (self.results, self.work):
            folder.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(state / "journal.sqlite")
        key, certificate = certs.vehicle.key.read_bytes(), certs.vehicle.cert.read_bytes()
        self.channel = open_channel(Keys(f"127.0.0.1:{port}", certs.ca.read_bytes(), key, certificate))
        door = AgentDoor(self.channel)
        self.session = Session(door, Voice(pb.Hello, pb.Telemetry, lambda _: None), 1.0)
        self.book = AttemptBook(self.results, self.journal, door, self.session)

    def recover(self) -> list[Attempt]:
        """Takes up what the agent before has left, and returns what it had in hand."""
        return self.book.recover(self.journal.attempts.left())

    async def finish(self, number: int, body: bytes = BODY) -> None:
        """The sidecar has written the result of a shard, and the runner says so."""
        file = self.work / f"{number}.out"
        file.write_bytes(body)
        await self.book.finish(attempt(number), file, OUTCOME)

    def handed_back(self) -> list[tuple[str, list[int]]]:
        """Reason and shards of what waits to be handed back in the next session."""
        said = [message.handback for message in self.session._kept]
        return [(handback.reason, list(handback.shards)) for handback in said]


@contextlib.asynccontextmanager
async def desk(state: Path, port: int, certs: Certificates) -> AsyncIterator[Desk]:
    """A desk that is closed afterwards."""
    made = Desk(state, port, certs)
    try:
        yield made
    finally:
        await made.book.stop()
        made.journal.close()
        await made.channel.close()


WRITES: tuple[tuple[Any, str], ...] = (
    (Attempts, "take"),
    (durable, "write"),
    (Attempts, "finish"),
    (Attempts, "number_piece"),
    (Attempts, "settle"),
)


class Kills:
    """Copies the vehicle's disk before and after every write: each copy is what a kill there would leave."""

    def __init__(self, state: Path, copies: Path, patch: Callable[[Any, str, Any], None]) -> None:
        self.state = state
        self.copies = copies
        self.points: list[tuple[str, Path]] = []
        for owner, name in WRITES:
            patch(owner, name, self._watched(name, getattr(owner, name)))

    def _watched(self, name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any) -> Any:
            self._copy(f"before {name}")
            answer = write(*arguments)
            self._copy(f"after {name}")
            return answer

        return watched

    def _copy(self, name: str) -> None:
        copy = self.copies / f"{len(self.points)} {name}"
        shutil.copytree(self.state, copy)
        self.points.append((name, copy))
