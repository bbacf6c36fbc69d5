"""Finished work reaches the gateway once, however late, and whatever happens to the agent meanwhile."""

import os
import shutil
from pathlib import Path

import pytest

from parkade_agent import pieces
from parkade_agent.journal.attempts import Attempt, Attempts, Fate
from parkade_agent.journal.journal import Journal
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_api.wellknown import ShardFault
from parkade_core.batch.piece import MOST_PIECE_BYTES
from support.booking import BODY, OUTCOME, Desk, Kills, attempt, desk
from support.fates import fate_of
from support.vehicles import Certificates, Door, certificates, open_door

NOWHERE = 1
"""A port that nobody listens on: the vehicle is in a tunnel."""


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of one door and one vehicle."""
    return certificates(tmp_path_factory.mktemp("pki"))


async def settled(vehicle: Desk, door: Door, *numbers: int) -> list[Fate | None]:
    """The fates of these shards, once the vehicle has heard all its verdicts."""
    await door.until(lambda d: set(d.results) >= set(numbers), 10)
    await vehicle.book.drained()
    await vehicle.book.stop()
    return [fate_of(vehicle.journal, f"attempt-{number}") for number in numbers]


async def test_a_result_is_safe_before_it_is_sent(tmp_path: Path, certs: Certificates) -> None:
    """In a tunnel it lies in the vehicle's own folder, out of the reach of whoever wrote it; then it is sent once."""
    door = Door(tmp_path, [], lost={2})
    async with desk(tmp_path / "state", NOWHERE, certs) as vehicle:
        await vehicle.book.take([attempt(1), attempt(2)])
        await vehicle.finish(1)
        await vehicle.finish(2)
        assert [each.uid for each in vehicle.book.unsent()] == ["attempt-1", "attempt-2"]
        assert (vehicle.results / "attempt-1").read_bytes() == BODY
        assert list(vehicle.work.iterdir()) == []
    async with open_door(door, certs) as port, desk(tmp_path / "state", port, certs) as vehicle:
        assert vehicle.recover() == []
        assert await settled(vehicle, door, 1, 2) == [Fate.COMMITTED, Fate.LOST]
        assert len(door.stored) == 1
        assert list(vehicle.results.iterdir()) == []


async def test_a_kill_at_any_write_loses_and_doubles_nothing(
    tmp_path: Path, certs: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every shard is in hand, or sent to the same bytes, or forgotten before anybody was told that it was taken."""
    state, quiet, told = tmp_path / "state", Door(tmp_path, []), set[str]()
    async with open_door(quiet, certs) as port, desk(state, port, certs) as vehicle:
        kills = Kills(state, tmp_path / "copies", monkeypatch.setattr)
        await vehicle.book.take([attempt(1)])
        await vehicle.finish(1)
        assert await settled(vehicle, quiet, 1) == [Fate.COMMITTED]
    monkeypatch.undo()
    assert len(kills.points) == 10
    for name, copy in kills.points:
        door = Door(tmp_path, [], results=dict(quiet.results))
        async with open_door(door, certs) as port, desk(copy, port, certs) as vehicle:
            in_hand = [each.shard.shard for each in vehicle.recover()]
            is_finished = bool(list(vehicle.book.unsent()))
            await vehicle.book.drained()
            assert len(in_hand) + is_finished <= 1, name
            assert bool(in_hand or is_finished) == (name not in {"before take", "after settle"}), name
            assert {header.piece for header in door.stored} <= {0, 1}, name
            assert [path.name for path in vehicle.results.iterdir()] == [], name
            told.add(name)
    assert len(told) == 10


async def test_a_result_is_synced_before_it_counts_as_finished(
    tmp_path: Path, certs: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut cannot leave the row without the bytes: file and folder are synced first."""
    order, sync, note = list[str](), os.fsync, Attempts.finish

    def synced(descriptor: int) -> None:
        sync(descriptor)
        order.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    def noted(attempts: Attempts, uid: str, outcome: vehicle_pb2.ShardOutcome) -> None:
        order.append("finish")
        note(attempts, uid, outcome)

    async with desk(tmp_path / "state", NOWHERE, certs) as vehicle:
        await vehicle.book.take([attempt(1)])
        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(Attempts, "finish", noted)
        await vehicle.finish(1)
    assert order == ["attempt-1.part", "results", "finish"]


async def test_a_piece_never_has_the_number_of_another(tmp_path: Path, certs: Certificates) -> None:
    """After a restart in the middle of a piece its shards come in a new one, with whatever else was finished."""
    async with desk(tmp_path / "state", NOWHERE, certs) as vehicle:
        await vehicle.book.take([attempt(1), attempt(2)])
        await vehicle.finish(1)
        vehicle.journal.attempts.number_piece("lease-1", ["attempt-1"], 0)
        await vehicle.finish(2)
    door = Door(tmp_path, [])
    async with open_door(door, certs) as port, desk(tmp_path / "state", port, certs) as vehicle:
        vehicle.recover()
        await vehicle.book.drained()
    assert [(header.piece, len(header.results)) for header in door.stored] == [(1, 2)]


def write_nothing_once(journal: Journal) -> None:
    """The next write into the journal fails; for the one after it the file is opened anew."""
    with journal._database.transaction() as connection:
        connection.execute("PRAGMA query_only=1")


async def test_a_piece_that_cannot_be_noted_has_a_number_of_its_own(
    tmp_path: Path, certs: Certificates
) -> None:
    """On a full disk no second piece of a lease looks like the first one, whichever agent has sent that."""
    door, state = Door(tmp_path, []), tmp_path / "state"
    async with open_door(door, certs) as port:
        async with desk(state, port, certs) as vehicle:
            await vehicle.book.take([attempt(number) for number in (1, 2, 3)])
            await vehicle.finish(1)
            await vehicle.book.drained()
        async with desk(state, port, certs) as vehicle:
            vehicle.recover()
            for number in (2, 3):
                await vehicle.finish(number)
                write_nothing_once(vehicle.journal)
                await vehicle.book.drained()
    assert [(header.piece, header.results[0].shard) for header in door.stored] == [(0, 1), (1, 2), (2, 3)]


async def test_what_the_vehicles_own_disk_spoiled_is_given_back(
    tmp_path: Path, certs: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has refused it: the owner reads that it was given up, and the shard is not blamed."""
    monkeypatch.setattr(pieces, "LINGER_SECONDS", 60.0)
    async with open_door(Door(tmp_path, []), certs) as port, desk(tmp_path / "state", port, certs) as vehicle:
        await vehicle.book.take([attempt(1)])
        await vehicle.finish(1)
        (vehicle.results / "attempt-1").write_bytes(b"other bytes")
        await vehicle.book.drained()
        assert vehicle.handed_back() == [("", [1])]
        assert fate_of(vehicle.journal, "attempt-1") is Fate.RETURNED


async def test_a_result_that_the_disk_does_not_take_is_sent_from_memory(
    tmp_path: Path, certs: Certificates
) -> None:
    """A full or read-only disk costs the vehicle its next work, not what it has done."""
    door = Door(tmp_path, [])
    async with open_door(door, certs) as port, desk(tmp_path / "state", port, certs) as vehicle:
        await vehicle.book.take([attempt(1)])
        shutil.rmtree(vehicle.results)
        vehicle.results.touch()  # nothing can be made in it
        await vehicle.finish(1)
        await vehicle.book.drained()
        assert door.results == {1: BODY}


async def test_what_is_no_result_is_handed_back(tmp_path: Path, certs: Certificates) -> None:
    """Other bytes than the sidecar stated, a file that is none, and more than a piece may have."""
    async with desk(tmp_path / "state", NOWHERE, certs) as vehicle:
        await vehicle.finish(1, b"b line\n")
        (vehicle.work / "folder").mkdir()
        await vehicle.book.finish(attempt(2), vehicle.work / "folder", OUTCOME)
        outcome = type(OUTCOME)(size=MOST_PIECE_BYTES + 1)
        await vehicle.book.finish(attempt(3), vehicle.work / "large", outcome)
        assert vehicle.handed_back() == [
            (ShardFault.RESULT_CORRUPT, [1]),
            (ShardFault.RESULT_CORRUPT, [2]),
            (ShardFault.PIECE_REFUSED, [3]),
        ]
        assert list(vehicle.book.unsent()) == []


async def test_a_repeated_grant_takes_nothing_back(tmp_path: Path, certs: Certificates) -> None:
    """What is finished stays finished, in the book and for the next agent; what is new in the grant is new."""
    async with desk(tmp_path / "state", NOWHERE, certs) as vehicle:
        await vehicle.book.take([attempt(1)])
        await vehicle.finish(1)
        grant = pb.LeaseGrant(pod_uid="pod-1", lease="lease-1", shards=[attempt(1).shard, attempt(2).shard])
        assert vehicle.book.new_in(grant, "batch-1") == [attempt(2)]
        await vehicle.book.take([attempt(1)])
        assert fate_of(vehicle.journal, "attempt-1") is Fate.FINISHED


async def test_no_name_leads_out_of_the_folder_of_results(tmp_path: Path, certs: Certificates) -> None:
    """A gateway that names an attempt like a path is not followed there: what is not the vehicle's result stays."""
    canary = tmp_path / "state" / "owner" / "limits.json"
    bad = pb.LeasedShard(shard=1, attempt="../owner/limits.json")
    async with desk(tmp_path / "state", NOWHERE, certs) as vehicle:
        canary.parent.mkdir()
        canary.touch()
        assert vehicle.book.new_in(pb.LeaseGrant(lease="lease-1", shards=[bad]), "batch-1") == []
        vehicle.book.hand_back([Attempt("pod-1", "batch-1", "lease-1", bad)], "")
        await vehicle.book.drained()
        assert canary.exists()


async def test_no_more_is_taken_than_the_pool_lets_a_vehicle_keep(
    tmp_path: Path, certs: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room goes down with every result that waits, and whoever wants more hears when there is some again."""
    monkeypatch.setattr(pieces, "LINGER_SECONDS", 60.0)
    door, heard = Door(tmp_path, []), list[int]()
    async with open_door(door, certs) as port, desk(tmp_path / "state", port, certs) as vehicle:
        vehicle.book.most = 2
        vehicle.book.listeners.append(lambda: heard.append(vehicle.book.room))
        await vehicle.book.take([attempt(1), attempt(2)])
        await vehicle.finish(1)
        await vehicle.finish(2)
        assert vehicle.book.room == 0
        await vehicle.book.drained()
        assert heard == [1, 2]


async def test_a_wipe_gives_everything_up(tmp_path: Path, certs: Certificates) -> None:
    """What was not sent is handed back for the owner's reason, and the next agent finds nothing of it."""
    async with desk(tmp_path / "state", NOWHERE, certs) as vehicle:
        await vehicle.book.take([attempt(1), attempt(2)])
        await vehicle.finish(1)
        await vehicle.book.forget("NoConsent")
        assert vehicle.handed_back() == [("NoConsent", [1])]
    async with desk(tmp_path / "state", NOWHERE, certs) as vehicle:
        assert vehicle.recover() == []
        assert list(vehicle.book.unsent()) == []
        assert list(vehicle.results.iterdir()) == []
