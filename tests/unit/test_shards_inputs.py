"""Planning of inputs as they come: every line is accounted for once, whatever stands in it, in bounded memory."""

import errno
import os
import tempfile
import tracemalloc
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parkade_api.wellknown import BatchReason
from parkade_core.batch.plan import MAX_SHARD_BYTES
from parkade_core.batch.record import BYTE_ORDER_MARK, MAX_LINE_BYTES
from parkade_operator.shards import planner
from parkade_operator.shards.errors import BatchFailure, StoreUnavailable
from parkade_operator.shards.files import FileRoot
from parkade_operator.shards.planner import make_plan
from support import corpus
from support.stores import Ground, request

Row = dict[str, Any]


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """Ten records and a bundle."""
    return Ground(tmp_path)


def plan_anew(ground: Ground, data: bytes) -> tuple[list[Row], list[Row]]:
    """Plan another batch over *data*; returns the rows of its shards and of its rejects."""
    ground.write_input(data)
    spec, store = ground.spec(uid=str(uuid.uuid4())), ground.store()
    try:
        plan = make_plan(spec, store, ground.files())
        shards = [store.get(key) for key in store.list(f"batches/{spec.uid}/shards")]
        assert [len(shard.splitlines()) for shard in shards] == [row.records for row in plan.shards]
        rejects = store.get(f"batches/{spec.uid}/rejects").split(b"\n")[:-1]
        assert len(rejects) == plan.rejects.count
        return [orjson.loads(row) for shard in shards for row in shard.splitlines()], [
            *map(orjson.loads, rejects)
        ]
    finally:
        store.close()


def test_every_line_of_the_corpus_has_its_fate(ground: Ground) -> None:
    """Records are taken, blank lines are skipped, all others are refused under their line, custom_id, code and cure."""
    lines = corpus.corpus()
    records, rejects = plan_anew(ground, corpus.content(lines))
    numbered = list(enumerate(lines, start=1))
    taken = [(n, one.id) for n, one in numbered if one.id and (not one.code or one.fails_in_vehicle)]
    assert [(row["line"], row["custom_id"]) for row in records] == taken
    refused = [(n, one) for n, one in numbered if one.code and not one.fails_in_vehicle]
    told = [(row["error"]["line"], row["custom_id"], row["error"]["code"]) for row in rejects]
    assert told == [(n, one.id, one.code) for n, one in refused]
    for row, (_, one) in zip(rejects, refused, strict=True):
        assert one.words in row["error"]["message"]


_PIECES = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"\r",
        b"\x00",
        b"{",
        b"}",
        b"[",
        b'"',
        b",",
        b"\xff",
        BYTE_ORDER_MARK,
        b" ",
        b"NaN",
        request(1),
    ]
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300) | st.lists(st.binary(max_size=20) | _PIECES, max_size=30).map(b"".join))
def test_any_bytes_are_planned_or_empty(ground: Ground, data: bytes) -> None:
    """No input makes planning raise, and every line that is not blank is told exactly once under its number."""
    text = data.removeprefix(BYTE_ORDER_MARK)
    expected = [n for n, raw in enumerate(text.split(b"\n"), start=1) if raw.strip()]
    try:
        records, rejects = plan_anew(ground, data)
    except BatchFailure as failure:
        assert failure.reason is BatchReason.INPUT_EMPTY  # noqa: PT017 - either outcome is right
        assert not expected
    else:
        told = [row["line"] for row in records] + [row["error"]["line"] for row in rejects]
        assert sorted(told) == expected


def test_a_long_line_is_never_held_as_a_whole(ground: Ground) -> None:
    """Eighty megabytes in one line cost planning no more than a few times the longest line that it takes."""
    ground.write_input(b"x" * (20 * MAX_LINE_BYTES) + b"\n" + request(1))
    store = ground.store()
    tracemalloc.start()
    try:
        plan = make_plan(ground.spec(), store, ground.files())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        store.close()
    assert (plan.records_total, plan.rejects.count) == (2, 1)
    assert peak < 5 * MAX_LINE_BYTES


def test_long_records_close_a_shard_early(ground: Ground) -> None:
    """A shard ends at its number of records or at its bytes, whichever comes first, so that a vehicle can hold it."""
    long = "x" * (MAX_LINE_BYTES - 200)
    lines = [request(n, body={"input": long if n < 4 else "short"}) for n in range(8)]
    ground.write_input(b"".join(lines))
    plan = make_plan(ground.spec(records_per_shard=100), ground.store(), ground.files())
    assert [row.records for row in plan.shards] == [3, 5]
    assert max(row.size for row in plan.shards) < MAX_SHARD_BYTES + MAX_LINE_BYTES


def test_an_input_that_is_written_to_meanwhile_fails_the_batch(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the old file and half of a new one is nobody's input: no plan, and the cure."""
    path, real = ground.team / "docs.jsonl", os.open

    def append_then_open(name: str, *how: Any, **where: Any) -> int:
        if name == ".":  # the store creates its first shard: the input is open by then
            with path.open("ab") as file:
                file.write(request(99))
        return real(name, *how, **where)

    ground.write_input(b"".join(request(n) for n in range(3)) + b"\n" * 100_000)
    monkeypatch.setattr(os, "open", append_then_open)
    with pytest.raises(BatchFailure, match="written to while it was read; make a new batch") as caught:
        make_plan(ground.spec(), ground.store(), ground.files())
    assert caught.value.reason is BatchReason.INPUT_CHANGED
    assert not ground.store().exists(f"batches/{ground.spec().uid}/plan")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_our_disk_is_no_fault_of_the_input(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A full or failing platform store is told as such, so that planning is tried again."""

    def write(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(StoreUnavailable, match=f"^platform store: .*{os.strerror(number)}"):
        make_plan(ground.spec(), ground.store(), ground.files())


def test_a_full_temporary_folder_is_no_fault_of_the_input(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused lines are kept aside in it; where that fails, planning is tried again."""
    monkeypatch.setattr(tempfile, "tempdir", "/dev/full")
    monkeypatch.setattr(planner, "_SPOOL_BYTES", 1)
    ground.write_input(b"no record\n")
    with pytest.raises(StoreUnavailable, match="refused lines cannot be kept aside in /dev/full"):
        make_plan(ground.spec(), ground.store(), ground.files())


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EIO, StoreUnavailable), (errno.ESTALE, StoreUnavailable), (errno.EACCES, BatchFailure)],
)
@pytest.mark.parametrize("name", ["docs.jsonl", "bundle.json", "model.int8.onnx"])
def test_what_may_pass_is_told_from_what_the_user_must_mend(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception], name: str
) -> None:
    """A disk that fails may work later; a file that may not be read is the user's to change."""
    real = os.open

    def refuse(path: str, *how: Any, **where: Any) -> int:
        if path == name:
            raise OSError(number, os.strerror(number))
        return real(path, *how, **where)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(kind, match=f"file:///.*{name} cannot be read.*{os.strerror(number)}"):
        make_plan(ground.spec(), ground.store(), ground.files())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.mkdir, "is not a regular file"),
        (Path.exists, "No such file"),
        (lambda path: path.symlink_to("/etc/passwd"), "Too many levels of symbolic links"),
        (os.mkfifo, "is not a regular file"),
    ],
    ids=["folder", "missing", "link out of the root", "pipe"],
)
def test_what_is_no_file_fails_the_batch(ground: Ground, make: Callable[[Path], object], words: str) -> None:
    """A folder, a hole, a link and a pipe in the place of the input are told in words."""
    path = ground.team / "docs.jsonl"
    path.unlink()
    make(path)
    with pytest.raises(BatchFailure, match=words) as caught:
        make_plan(ground.spec(), ground.store(), ground.files())
    assert caught.value.reason is BatchReason.INPUT_UNREADABLE
    assert caught.value.message.startswith("file:///docs.jsonl cannot be read: ")


def test_a_missing_file_root_is_the_administrators(ground: Ground) -> None:
    """The gateway's own folder is gone: no user can mend that, so the batch waits."""
    with pytest.raises(StoreUnavailable, match="file root cannot be opened: No such file"):
        make_plan(ground.spec(), ground.store(), FileRoot(ground.files_root / "gone"))
