"""Results that the door takes, and those that it never will."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from parkade_agent.door import Door as AgentDoor
from parkade_agent.door import Keys, open_channel
from parkade_agent.journal.attempts import Attempt, Fate
from parkade_agent.pieces import Finished, Pieces, Verdicts
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_api.wellknown import ShardFault
from parkade_core.batch.piece import MOST_PIECE_BYTES
from support.vehicles import Certificates, Door, certificates, open_door

SENTENCE = "the result of shard 1 ends within a line"
Heard = list[tuple[int, str, str]]


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of one door and one vehicle."""
    return certificates(tmp_path_factory.mktemp("pki"))


def finished(folder: Path, shard: int, body: bytes) -> Finished:
    """A finished shard whose result lies in *folder*."""
    result = folder / f"{shard}.out"
    result.write_bytes(body)
    outcome = vehicle_pb2.ShardOutcome(
        size=len(body), output_size=len(body), sha256=hashlib.sha256(body).hexdigest(), succeeded=1
    )
    leased = fleet_pb2.LeasedShard(shard=shard, attempt=f"attempt-{shard}")
    return Finished(Attempt("pod", "batch", "lease", leased), outcome, result)


async def store(door: Door, certs: Certificates, results: Sequence[Finished]) -> Heard:
    """Stores *results* at *door*; what is heard of each: its number, its fate or fault, the sentence."""
    heard: Heard = []

    async def number(_: Sequence[Finished]) -> int:
        return 0

    def settled(done: Finished, fate: Fate) -> None:
        heard.append((done.attempt.shard.shard, fate, ""))

    def failed(lost: Finished, fault: str, message: str) -> None:
        heard.append((lost.attempt.shard.shard, fault, message))

    async with open_door(door, certs) as port:
        key, certificate = certs.vehicle.key.read_bytes(), certs.vehicle.cert.read_bytes()
        keys = Keys(f"127.0.0.1:{port}", certs.ca.read_bytes(), key, certificate)
        async with open_channel(keys) as channel:
            pieces = Pieces(AgentDoor(channel), Verdicts(number, settled, failed))
            for result in results:
                pieces.add(result)
            pieces.flush()
            await pieces.run()
    return heard


async def test_a_refused_piece_is_a_fault_of_its_shards(tmp_path: Path, certs: Certificates) -> None:
    """What the door refuses for good is given up with its sentence, and the next piece is stored all the same."""
    door = Door(tmp_path, [], refusals={1: SENTENCE})
    heard = await store(door, certs, [finished(tmp_path, 1, b"half a li")])
    assert heard == [
        (1, ShardFault.PIECE_REFUSED, f"the gateway refused: INVALID_ARGUMENT: {SENTENCE}"),
    ]
    assert await store(door, certs, [finished(tmp_path, 2, b"line\n")]) == [(2, Fate.COMMITTED, "")]
    assert door.results == {2: b"line\n"}


async def test_who_came_second_hears_so(tmp_path: Path, certs: Certificates) -> None:
    """A shard that another vehicle committed is lost, and the ones beside it are not."""
    door = Door(tmp_path, [], lost={1})
    heard = await store(door, certs, [finished(tmp_path, shard, b"line\n") for shard in (1, 2)])
    assert heard == [(1, Fate.LOST, ""), (2, Fate.COMMITTED, "")]


async def test_the_largest_result_is_stored(tmp_path: Path, certs: Certificates) -> None:
    """A result of exactly the limit makes a piece of its own."""
    body = b"x" * MOST_PIECE_BYTES
    door = Door(tmp_path, [])
    assert await store(door, certs, [finished(tmp_path, 1, body)]) == [(1, Fate.COMMITTED, "")]
    assert door.results == {1: body}


async def test_a_result_that_changed_on_disk_is_handed_back(tmp_path: Path, certs: Certificates) -> None:
    """Bytes that are not those that were kept are never sent, and no fault of the shard; those beside them are."""
    results = [finished(tmp_path, shard, b"line\n") for shard in (1, 2)]
    results[0].result.write_bytes(b"lime\n")
    door = Door(tmp_path, [])
    heard = await store(door, certs, results)
    assert [row[:2] for row in heard] == [(1, ""), (2, Fate.COMMITTED)]
    assert door.results == {2: b"line\n"}
