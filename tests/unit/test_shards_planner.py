"""Planning: what becomes of good and bad inputs and bundles."""

import hashlib
from pathlib import Path

import orjson
import pytest

from parkade_api.wellknown import BatchReason
from parkade_core.batch.plan import encode_plan
from parkade_core.batch.record import MAX_LINE_BYTES
from parkade_operator.shards.errors import BatchFailure
from parkade_operator.shards.planner import make_plan
from parkade_operator.shards.spec import Roots
from parkade_operator.shards.workers import WorkerPool
from support.stores import ONNX_SHAPE, Ground, write_bundle


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """Ten records and a bundle."""
    return Ground(tmp_path)


def failure(ground: Ground, **changes: object) -> BatchFailure:
    """The failure that planning ends in; nothing but the plan itself makes a batch planned."""
    spec = ground.spec(**changes)
    with pytest.raises(BatchFailure) as caught:
        make_plan(spec, ground.store(), ground.files())
    assert not ground.store().exists(f"batches/{spec.uid}/plan")
    return caught.value


def test_an_input_is_cut_into_shards_in_order(ground: Ground) -> None:
    """Shards hold the records in input order with their line numbers, the plan their digests."""
    store = ground.store()
    plan = make_plan(ground.spec(), store, ground.files())
    data = [store.get(key) for key in store.list(f"batches/{ground.spec().uid}/shards")]
    assert [row["line"] for shard in data for row in map(orjson.loads, shard.splitlines())] == list(
        range(1, 11)
    )
    assert [(row.first_line, row.records) for row in plan.shards] == [(1, 3), (4, 3), (7, 3), (10, 1)]
    assert [row.sha256 for row in plan.shards] == [hashlib.sha256(shard).hexdigest() for shard in data]
    raw = (ground.team / "docs.jsonl").read_bytes()
    assert plan.input_digest == f"sha256:{hashlib.sha256(raw).hexdigest()}"
    hex_digest = ground.digest.removeprefix("sha256:")
    assert store.get(f"bundles/{hex_digest}/model.int8.onnx") == ONNX_SHAPE


def test_a_plan_that_exists_is_used_as_it_is(ground: Ground) -> None:
    """Once planned, the input may change or vanish."""
    plan = make_plan(ground.spec(), ground.store(), ground.files())
    (ground.team / "docs.jsonl").unlink()
    assert make_plan(ground.spec(), ground.store(), ground.files()) == plan


def test_planning_runs_in_a_worker_process(ground: Ground) -> None:
    """Plan and failures travel back from the worker."""
    pool = WorkerPool(1)
    roots = Roots(ground.store_root, ground.files_root)
    try:
        from parkade_operator.shards.planner import plan_batch  # noqa: PLC0415 - what the worker imports by name

        with pytest.raises(BatchFailure) as caught:
            pool.submit(plan_batch, ground.spec(input_uri="file:///none"), roots).result(60)
        assert caught.value.reason is BatchReason.INPUT_UNREADABLE
        plan = pool.submit(plan_batch, ground.spec(), roots).result(60)
        assert encode_plan(plan) == ground.store().get(f"batches/{ground.spec().uid}/plan")
    finally:
        pool.shutdown()


def test_an_input_that_changes_between_two_tries_is_noticed(ground: Ground) -> None:
    """Shards of another input that an interrupted planning left are never mixed in."""
    spec = ground.spec()
    ground.store().create(f"batches/{spec.uid}/shards/000001", (b"of another input",))
    assert failure(ground).reason is BatchReason.INPUT_CHANGED


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (b"", BatchReason.INPUT_EMPTY, "holds no records"),
        (b"\n \r\n\n", BatchReason.INPUT_EMPTY, "holds no records"),
        (None, BatchReason.INPUT_UNREADABLE, "No such file"),
    ],
)
def test_inputs_without_records_fail(
    ground: Ground, data: bytes | None, reason: BatchReason, words: str
) -> None:
    """An empty input and a missing one fail with reasons of their own."""
    path = ground.team / "docs.jsonl"
    path.unlink() if data is None else path.write_bytes(data)
    failed = failure(ground)
    assert failed.reason is reason
    assert words in failed.message


def test_the_stated_input_digest_is_checked(ground: Ground) -> None:
    """An input with another digest than spec.input.digest fails and names both."""
    failed = failure(ground, input_digest="sha256:" + "0" * 64)
    assert failed.reason is BatchReason.INPUT_DIGEST_MISMATCH
    raw = hashlib.sha256((ground.team / "docs.jsonl").read_bytes()).hexdigest()
    assert raw in failed.message
    assert make_plan(ground.spec(input_digest=f"sha256:{raw}"), ground.store(), ground.files()).shards


def test_an_input_of_rejects_only_is_planned(ground: Ground) -> None:
    """When every line is refused the batch has no shards and all errors; a line without end is cut short."""
    ground.write_input(b"{" * (3 * MAX_LINE_BYTES) + b"\nno\n" + b"[]")
    plan = make_plan(ground.spec(), ground.store(), ground.files())
    assert (plan.shards, plan.rejects.count, plan.records_total) == ((), 3, 3)
    rejects = ground.store().get(f"batches/{ground.spec().uid}/rejects")
    errors = [orjson.loads(line)["error"] for line in rejects.splitlines()]
    assert [(e["line"], e["code"]) for e in errors] == [
        (1, "LineTooLong"),
        (2, "NotJson"),
        (3, "NotAnObject"),
    ]
    raw = (ground.team / "docs.jsonl").read_bytes()
    assert plan.input_digest == f"sha256:{hashlib.sha256(raw).hexdigest()}"


@pytest.mark.parametrize(
    ("name", "data", "reason", "words"),
    [
        ("bundle.json", b"{}", BatchReason.MODEL_DIGEST_MISMATCH, "spec.model.digest"),
        ("bundle.json", None, BatchReason.MODEL_UNREADABLE, "No such file"),
        ("tokenizer.json", None, BatchReason.MODEL_UNREADABLE, "tokenizer.json"),
        ("tokenizer.json", b"{ }", BatchReason.MODEL_DIGEST_MISMATCH, "tokenizer.json"),
    ],
)
def test_a_damaged_bundle_fails_the_batch(
    ground: Ground, name: str, data: bytes | None, reason: BatchReason, words: str
) -> None:
    """Missing and changed files are told apart, and nothing that is not what it should be is stored."""
    path = ground.team / "bundle" / name
    path.unlink() if data is None else path.write_bytes(data)
    failed = failure(ground)
    assert failed.reason is reason
    assert words in failed.message
    hex_digest = ground.digest.removeprefix("sha256:")
    assert not ground.store().exists(f"bundles/{hex_digest}/{name}")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "parkade.dev/bundle/v9"}, "schema"),
        ({"variants": []}, "variants"),
        (
            {
                "variants": [
                    {"precision": "FP32", "file": "model.int8.onnx", "requires": "x", "recipe": "none"}
                ]
            },
            "no INT8 variant",
        ),
        (
            {"variants": [{"precision": "INT8", "file": "other.onnx", "requires": "x", "recipe": "none"}]},
            "other.onnx, which is not among its files",
        ),
        (
            {
                "variants": [
                    {"precision": "INT8", "file": "tokenizer.json", "requires": "x", "recipe": "none"}
                ]
            },
            "tokenizer.json is not an ONNX file",
        ),
    ],
)
def test_an_invalid_bundle_fails_the_batch(ground: Ground, changes: dict[str, object], words: str) -> None:
    """A manifest of another shape and a model that is no ONNX file are ModelInvalid, with the field or file."""
    digest = write_bundle(ground.team / "bundle", **changes)
    failed = failure(ground, model_digest=digest)
    assert failed.reason is BatchReason.MODEL_INVALID
    assert words in failed.message


def test_a_signature_belongs_to_its_batch(ground: Ground) -> None:
    """Of two batches with the same bundle each keeps the signature that came with it: nobody spoils another's."""
    store, signature = ground.store(), ground.team / "bundle" / "bundle.sig"
    for uid, data in (("unsigned", None), ("bad", b"garbage"), ("good", b"a signature")):
        signature.unlink(missing_ok=True)
        if data is not None:
            signature.write_bytes(data)
        make_plan(ground.spec(uid=uid), store, ground.files())
    stored = [store.get(f"batches/{uid}/bundle.sig") for uid in ("unsigned", "bad", "good")]
    assert stored == [b"", b"garbage", b"a signature"]


def test_a_signature_that_cannot_be_one_fails_the_batch(ground: Ground) -> None:
    """It is never stored without bound, and one that is there but cannot be read is not taken for none."""
    signature = ground.team / "bundle" / "bundle.sig"
    signature.write_bytes(b" " * (256 * 1024 + 1))
    failed = failure(ground)
    assert failed.reason is BatchReason.MODEL_INVALID
    assert "bundle.sig has more than 262144 bytes" in failed.message
    signature.unlink()
    signature.symlink_to("tokenizer.json")
    assert failure(ground).reason is BatchReason.MODEL_UNREADABLE
