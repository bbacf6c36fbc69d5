"""The checkpoint: finished records outlive the run, whatever ended it, and nothing else is taken for one."""

import asyncio
import os
import resource
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_agent.sidecar.checkpoint import FILE_NAME, Checkpoint, Row, decode, encode, shard_key
from parkade_agent.sidecar.errors import FileRefusedError
from parkade_agent.sidecar.folder import SlotFolder
from parkade_agent.sidecar.shard import ShardRun
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_models.bundle import Bundle
from support.shards import echo_records, echo_task, records_done, shard_run
from support.sidecars import Sidecar, serving_in, serving_sidecar

KEY = shard_key("ff", "sha256:00", "sha256:11", "22")


def _entries(key: bytes, rows: dict[int, Row]) -> bytes:
    return b"".join(encode(key, index, row) for index, row in rows.items())


ROWS: dict[int, Row] = {2: (True, b"two\n"), 0: (False, b"none\n"), 5: (True, b"")}
FILE = KEY + _entries(KEY, ROWS)
MANY = 20
QUICK, LONG = 0.008, 0.02  # seconds of work: of a record that waits for others, and of one that does not
TEXTS = [{"input": f"Document {number} " + "of many words " * 30} for number in range(150)]


def test_rows_are_read_back() -> None:
    """What was kept is found, in any order of records."""
    assert decode(FILE, KEY, 6) == (ROWS, len(FILE))
    assert decode(b"", KEY, 6) == ({}, 0)
    assert decode(KEY, KEY, 6) == ({}, len(KEY))


@given(size=st.integers(0, len(FILE) - 1))
def test_a_torn_end_is_ignored(size: int) -> None:
    """A file that was cut anywhere gives the records before the cut, and where to go on."""
    rows, sound = decode(FILE[:size], KEY, 6)
    assert list(rows.items()) == list(ROWS.items())[: len(rows)]
    assert sound <= size
    assert FILE[:sound] == (KEY + _entries(KEY, rows) if sound else b"")


@given(place=st.integers(0, len(FILE) - 1), flip=st.integers(1, 255))
def test_a_damaged_entry_ends_the_checkpoint(place: int, flip: int) -> None:
    """One wrong byte anywhere never makes a wrong record: it and all after it are ignored."""
    damaged = bytearray(FILE)
    damaged[place] ^= flip
    rows, sound = decode(bytes(damaged), KEY, 6)
    assert list(rows.items()) == list(ROWS.items())[: len(rows)]
    assert sound <= place


@given(content=st.binary(max_size=200))
def test_any_bytes_can_be_read(content: bytes) -> None:
    """Whatever lies there is no reason to fail."""
    assert decode(KEY + content, KEY, 6)[1] <= len(KEY) + len(content)


def test_records_beyond_the_shard_are_ignored() -> None:
    """An index that the shard does not have ends the checkpoint."""
    assert decode(FILE, KEY, 5)[0] == {2: ROWS[2], 0: ROWS[0]}


@pytest.mark.parametrize(
    "other",
    [
        ("fe", "sha256:00", "sha256:11", "22"),
        ("ff", "sha256:01", "sha256:11", "22"),
        ("ff", "sha256:00", "sha256:10", "22"),
        ("ff", "sha256:00", "sha256:11", "23"),
    ],
)
def test_another_shards_checkpoint_is_ignored(other: tuple[str, str, str, str], tmp_path: Path) -> None:
    """Other bytes, another input, model or arithmetic begin anew, and leave nothing of the last shard behind."""
    (tmp_path / FILE_NAME).write_bytes(FILE)
    key = shard_key(*other)
    with closing(Checkpoint(SlotFolder(tmp_path), key, 6)) as checkpoint:
        assert checkpoint.rows == {}
        checkpoint.keep({1: (True, b"one\n")}, QUICK)
    assert (tmp_path / FILE_NAME).read_bytes() == key + encode(key, 1, (True, b"one\n"))


def test_a_late_entry_of_the_last_shard_is_ignored() -> None:
    """An entry carries its shard's key, so one that arrives after the file changed hands is none of the new one's."""
    key = shard_key("fe", "sha256:00", "sha256:11", "22")
    assert decode(key + _entries(KEY, ROWS), key, 6) == ({}, len(key))


def test_a_run_goes_on_after_the_torn_end(tmp_path: Path) -> None:
    """The next run appends where the sound part ends, and takes only what is not there."""
    task, records = echo_task(tmp_path / "bundle"), echo_records(5)
    run, checkpoint = shard_run(task, records, tmp_path)
    _run_all(run)
    checkpoint.close()
    whole = run.result()
    content = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(content[:-7])
    run, checkpoint = shard_run(task, records, tmp_path)
    assert run.done == 4
    _run_all(run)
    checkpoint.close()
    assert run.result() == whole
    assert (tmp_path / FILE_NAME).read_bytes() == content


def test_records_that_run_together_are_redone_together(tmp_path: Path) -> None:
    """Where three records are one run, a run of which one record is missing is run again as it was."""
    task, records = echo_task(tmp_path / "bundle", rows_per_run=3), echo_records(7)
    run, checkpoint = shard_run(task, records, tmp_path)
    _run_all(run)
    checkpoint.close()
    content = (tmp_path / FILE_NAME).read_bytes()
    kept, sound = decode(content, content[: len(KEY)], 5)
    assert list(kept) == [0, 1, 2, 3, 4]
    (tmp_path / FILE_NAME).write_bytes(content[:sound])
    again, checkpoint = shard_run(task, records, tmp_path)
    assert [again.take(), again.take(), again.take()] == [3, 6, None]
    checkpoint.close()


def test_a_full_disk_costs_the_checkpoint_and_not_the_shard(tmp_path: Path) -> None:
    """When nothing more can be appended the records go on; what was kept until then stays sound."""
    with closing(Checkpoint(SlotFolder(tmp_path), KEY, 6)) as checkpoint:
        checkpoint.keep({0: (True, b"one\n")}, QUICK)
    with closing(Checkpoint(SlotFolder(tmp_path), KEY, 6)) as checkpoint:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, checkpoint._file.fileno())
        os.close(full)
        checkpoint.keep({1: (True, b"two\n")}, LONG)
        checkpoint.keep({2: (True, b"three\n")}, LONG)
    assert decode((tmp_path / FILE_NAME).read_bytes(), KEY, 6)[0] == {0: (True, b"one\n")}


def test_no_more_than_a_moment_of_work_is_unwritten(tmp_path: Path) -> None:
    """A long record is written at once, whenever another was; quick ones as soon as they add up to a long one."""
    written = []
    with closing(Checkpoint(SlotFolder(tmp_path), KEY, 6)) as checkpoint:
        for index, seconds in enumerate((LONG, LONG, QUICK, QUICK, QUICK, QUICK)):
            checkpoint.keep({index: (True, b"")}, seconds)
            written.append(records_done(tmp_path))
    assert written == [1, 2, 2, 2, 5, 5]
    assert records_done(tmp_path) == 6


def test_an_entry_that_fits_in_part_is_taken_back(tmp_path: Path) -> None:
    """Where the disk takes the beginning of an entry only, what is kept later is found nevertheless."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(Checkpoint(SlotFolder(tmp_path), KEY, 6)) as checkpoint:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            checkpoint.keep({0: (True, b"one\n")}, LONG)
            checkpoint.keep({1: (True, b"long" * 25)}, LONG)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        checkpoint.keep({2: (True, b"three\n")}, LONG)
    assert decode((tmp_path / FILE_NAME).read_bytes(), KEY, 6)[0] == {
        0: (True, b"one\n"),
        2: (True, b"three\n"),
    }


def test_a_checkpoint_that_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    """A folder or a pipe in its place is refused in a sentence, and waits for nobody."""
    os.mkfifo(tmp_path / FILE_NAME)
    with pytest.raises(FileRefusedError, match="not a plain file"):
        Checkpoint(SlotFolder(tmp_path), KEY, 6)


async def test_a_killed_sidecar_redoes_only_what_it_had_in_hand(int8_bundle: Bundle) -> None:
    """SIGKILL in the middle of a shard: the next sidecar goes on where the file ends, and the result is the same."""
    async with serving_sidecar(int8_bundle, lanes=2) as sidecar:
        await _progress(sidecar, sidecar.write_shard("whole", TEXTS))
        whole = (sidecar.folder / "whole.result").read_bytes()
        request = sidecar.write_shard("killed", TEXTS)
        call = await _begun(sidecar, request)
        os.kill(sidecar.process.pid, signal.SIGKILL)
        await sidecar.process.wait()
        call.cancel()
        done = records_done(sidecar.folder)
        assert MANY <= done < len(TEXTS)
        async with serving_in(sidecar.folder, int8_bundle) as again:
            assert (await _progress(again, request))[0].records_done == done
            assert (sidecar.folder / "killed.result").read_bytes() == whole
    assert not (sidecar.folder / FILE_NAME).exists()


async def test_a_caller_who_left_finds_the_records_done(int8_bundle: Bundle) -> None:
    """A cancelled call keeps its records for the next; a finished shard leaves no checkpoint."""
    async with serving_sidecar(int8_bundle, lanes=2) as sidecar:
        request = sidecar.write_shard("left", TEXTS)
        call = await _begun(sidecar, request)
        call.cancel()
        assert MANY <= (await _progress(sidecar, request))[0].records_done < len(TEXTS)
        assert not (sidecar.folder / FILE_NAME).exists()
        lines = (sidecar.folder / "left.result").read_bytes().splitlines()
        assert [orjson.loads(line)["custom_id"] for line in lines] == [f"id-{n}" for n in range(1, 151)]


def _run_all(run: ShardRun) -> None:
    while (start := run.take()) is not None:
        run.run(start)


async def _begun(sidecar: Sidecar, request: vehicle_pb2.RunRequest) -> Any:
    """The call of a shard of which some records are done and most are not."""
    shards, result = vehicle_pb2_grpc.ShardsStub(sidecar.channel), sidecar.folder / request.result_name
    while True:
        call = shards.Run(request)
        await call.read()
        while not result.exists():
            if records_done(sidecar.folder) >= MANY:
                return call
            await asyncio.sleep(0.001)
        # This process stood still until the shard was through: once more from its first record.
        while await call.read() is not grpc.aio.EOF:
            continue
        result.unlink()


async def _progress(sidecar: Sidecar, request: vehicle_pb2.RunRequest) -> list[vehicle_pb2.RunProgress]:
    """All that a shard tells up to its end."""
    return [each async for each in vehicle_pb2_grpc.ShardsStub(sidecar.channel).Run(request)]
