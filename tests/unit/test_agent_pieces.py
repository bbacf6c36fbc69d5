"""Results that the door takes, and those that it never will."""

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from parkade_agent.door import Door as AgentDoor
from parkade_agent.door import Keys, open_channel
from parkade_agent.pieces import Finished, Pieces
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


def finished(folder: Path, shard: int, body: bytes, size: int | None = None) -> Finished:
    """A finished shard whose result lies in *folder*; *size* is what the sidecar states, if not the truth."""
    result = folder / f"{shard}.out"
    result.write_bytes(body)
    outcome = vehicle_pb2.ShardOutcome(
        size=len(body) if size is None else size,
        output_size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        succeeded=1,
    )
    return Finished("lease", fleet_pb2.LeasedShard(shard=shard, attempt="attempt"), result, outcome)


async def store(door: Door, certs: Certificates, results: Sequence[Finished]) -> Heard:
    """Stores *results* at *door*; what is heard of each: its number, its fault if it failed, the sentence."""
    heard: Heard = []
    async with open_door(door, certs) as port:
        key, certificate = certs.vehicle.key.read_bytes(), certs.vehicle.cert.read_bytes()
        keys = Keys(f"127.0.0.1:{port}", certs.ca.read_bytes(), key, certificate)
        async with open_channel(keys) as channel, asyncio.timeout(20):
            pieces = Pieces(
                "batch",
                AgentDoor(channel),
                lambda done: heard.append((done.shard.shard, "", "")),
                lambda lost, fault, message: heard.append((lost.shard.shard, fault, message)),
            )
            for result in results:
                pieces.add(result)
            pieces.close()
            await pieces.run()
    return heard


async def test_a_refused_piece_is_a_fault_of_its_shards(tmp_path: Path, certs: Certificates) -> None:
    """What the door refuses for good is given up with its sentence, and the next piece is stored all the same."""
    door = Door(tmp_path, [], refusals={1: SENTENCE})
    heard = await store(door, certs, [finished(tmp_path, 1, b"half a li")])
    assert heard == [
        (1, ShardFault.PIECE_REFUSED, f"the gateway refused: INVALID_ARGUMENT: {SENTENCE}"),
    ]
    assert await store(door, certs, [finished(tmp_path, 2, b"line\n")]) == [(2, "", "")]
    assert door.results == {2: b"line\n"}
    assert not any((tmp_path / f"{shard}.out").exists() for shard in (1, 2))


async def test_a_result_too_large_for_a_piece_is_never_sent(tmp_path: Path, certs: Certificates) -> None:
    """The shard is given up at once with the cure, and those beside it are stored."""
    large = finished(tmp_path, 1, b"", size=MOST_PIECE_BYTES + 1)
    door = Door(tmp_path, [])
    heard = await store(door, certs, [large, finished(tmp_path, 2, b"line\n")])
    (first, second) = heard
    assert first[:2] == (1, ShardFault.PIECE_REFUSED)
    assert "set fewer recordsPerShard" in first[2]
    assert second == (2, "", "")


async def test_the_largest_result_is_stored(tmp_path: Path, certs: Certificates) -> None:
    """A result of exactly the limit makes a piece of its own."""
    body = b"x" * MOST_PIECE_BYTES
    door = Door(tmp_path, [])
    assert await store(door, certs, [finished(tmp_path, 1, body)]) == [(1, "", "")]
    assert door.results == {1: body}


async def test_a_result_that_changed_on_disk_is_a_fault(tmp_path: Path, certs: Certificates) -> None:
    """Bytes that are not those that the sidecar stated are never sent."""
    result = finished(tmp_path, 1, b"line\n")
    result.result.write_bytes(b"lime\n")
    door = Door(tmp_path, [])
    ((shard, fault, _),) = await store(door, certs, [result])
    assert (shard, fault, door.results) == (1, ShardFault.RESULT_CORRUPT, {})


async def test_a_folder_in_place_of_a_result_is_a_fault(tmp_path: Path, certs: Certificates) -> None:
    """What is no regular file is given up as corrupt, and the next result is stored all the same."""
    results = [finished(tmp_path, shard, b"line\n") for shard in (1, 2, 3)]
    for result in results[:2]:
        result.result.unlink()
    results[0].result.mkdir()
    os.mkfifo(results[1].result)
    door = Door(tmp_path, [])
    heard = await store(door, certs, results)
    assert [(shard, fault) for shard, fault, _ in heard] == [
        (1, ShardFault.RESULT_CORRUPT),
        (2, ShardFault.RESULT_CORRUPT),
        (3, ""),
    ]
