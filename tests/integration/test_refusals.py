"""What a user did wrong is told at once, with the field and the cure; a batch that cannot work fails with a reason."""

import hashlib
import json

import pytest

from parkade_hack.controlplane import Kubectl
from support.batches import Garage, Object, documents, pool

DIGEST = "sha256:" + "0" * 64


def batch(**spec: object) -> Object:
    """A batch that the API server accepts; *spec* replaces parts of it, None removes one."""
    base: Object = {
        "poolRefs": ["garage"],
        "model": {"uri": "file:///model", "digest": DIGEST},
        "input": {"uri": "file:///docs.jsonl"},
        "output": {"uri": "file:///out"},
    }
    merged = {key: value for key, value in (base | spec).items() if value is not None}
    meta = {"name": "refused"}
    return {"apiVersion": "parkade.dev/v1alpha1", "kind": "InferenceBatch", "metadata": meta, "spec": merged}


REFUSED = {
    "no digest": (
        batch(model={"uri": "file:///model"}),
        "spec.model",
        "digest is required, as sha256:<64 hex digits>",
    ),
    "short digest": (
        batch(model={"uri": "file:///model", "digest": "sha256:12"}),
        "spec.model",
        "`sha256sum bundle.json` prints it",
    ),
    "no pools": (batch(poolRefs=None), "spec", "set exactly one of poolRefs and poolSelector"),
    "both kinds of pools": (
        batch(poolSelector={"matchLabels": {"a": "b"}}),
        "spec",
        "set exactly one of poolRefs and poolSelector",
    ),
    "unknown scheme": (batch(input={"uri": "ftp://x/docs.jsonl"}), "spec.input.uri", "file|s3|gs|az"),
    "no output": (batch(output=None), "spec.output", "Required value"),
    "no records in a shard": (
        batch(sharding={"recordsPerShard": 0}),
        "spec.sharding.recordsPerShard",
        "greater than or equal to 1",
    ),
    "timeout without a unit": (batch(shardTimeout="300"), "spec.shardTimeout", "(h|m|s)"),
    "unknown format": (
        batch(input={"uri": "file:///x", "format": "CSV"}),
        "spec.input.format",
        'supported values: "JSONL"',
    ),
    "resume at the floor": (
        pool("refused", "eu", minStateOfCharge=60, resumeStateOfCharge=60),
        "spec.eligibility",
        "resumeStateOfCharge must be above minStateOfCharge",
    ),
    "charge above 100 %": (
        pool("refused", "eu", minStateOfCharge=101, resumeStateOfCharge=102),
        "spec.eligibility.minStateOfCharge",
        "less than or equal to 100",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_manifest_is_refused_with_field_and_cure(case: str, kubectl: Kubectl, namespace: str) -> None:
    """The API server itself refuses: by schema where that says enough, by CEL where only a sentence helps."""
    manifest, field, cure = REFUSED[case]
    done = kubectl.run("apply", "--server-side", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode != 0
    assert field in done.stderr
    assert cure in done.stderr


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", {"uri": "file:///other", "digest": DIGEST}),
        ("input", {"uri": "file:///other.jsonl"}),
        ("output", {"uri": "file:///other"}),
        ("sharding", {"recordsPerShard": 7}),
    ],
)
def test_what_a_batch_is_cannot_be_changed(
    field: str, value: object, kubectl: Kubectl, namespace: str
) -> None:
    """Model, input, output and sharding are immutable; the message says to create a new batch."""
    kubectl("apply", "--server-side", "-n", namespace, "-f", "-", stdin=json.dumps(batch()))
    changed = json.dumps(batch(**{field: value}))
    done = kubectl.run("apply", "--server-side", "-n", namespace, "-f", "-", stdin=changed)
    assert done.returncode != 0
    assert f"{field} is immutable" in done.stderr
    assert "create a new InferenceBatch instead" in done.stderr


FAILING: dict[str, tuple[Object, str, str]] = {
    "no input": ({"input": {"uri": "file:///absent.jsonl"}}, "InputUnreadable", "absent.jsonl"),
    "another input": (
        {"input": {"uri": "file:///docs.jsonl", "digest": DIGEST}},
        "InputDigestMismatch",
        "sha256:",
    ),
    "no model": ({"model": {"uri": "file:///absent", "digest": DIGEST}}, "ModelUnreadable", "absent"),
    "another model": (
        {"model": {"uri": "file:///model", "digest": DIGEST}},
        "ModelDigestMismatch",
        "sha256:",
    ),
    "outside the file root": (
        {"input": {"uri": "file:///../../etc/passwd"}},
        "InputUnreadable",
        "..",
    ),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_batch_that_cannot_work_fails_with_a_reason(case: str, garage: Garage) -> None:
    """The status names the reason and what was wrong; nothing is scheduled for it."""
    spec, reason, word = FAILING[case]
    garage.kubectl.apply(pool(garage.region, garage.region))
    garage.kubectl.apply(garage.batch("docs", documents(3), **spec))
    status = garage.wait_for("docs", "Failed", 30)
    assert status["reason"] == reason, status
    assert word in status["message"]
    assert garage.slots("docs") == []
    failed = next(item for item in status["conditions"] if item["type"] == "Failed")
    assert failed["status"] == "True"


def test_a_file_that_is_no_onnx_model_fails_the_batch(garage: Garage) -> None:
    """A bundle whose model file is something else is refused before any vehicle sees it."""
    garage.kubectl.apply(pool(garage.region, garage.region))
    manifest = _with_model(garage, b"This is not a model.\n" * 100)
    spec = garage.batch("docs", documents(3), model={"uri": "file:///model", "digest": manifest})
    garage.kubectl.apply(spec)
    status = garage.wait_for("docs", "Failed", 30)
    assert status["reason"] == "ModelInvalid"
    assert "ONNX" in status["message"]


def test_a_file_of_the_user_is_never_overwritten(garage: Garage) -> None:
    """Output that exists with other bytes fails the batch with OutputExists and stays as it was."""
    garage.open()
    (garage.folder / "docs").mkdir()
    theirs = garage.folder / "docs" / "output.jsonl"
    theirs.write_text("somebody's file\n")
    garage.kubectl.apply(garage.batch("docs", documents(10)))
    status = garage.wait_for("docs", "Failed")
    assert status["reason"] == "OutputExists"
    assert theirs.read_text() == "somebody's file\n"


def test_a_batch_waits_for_a_pool_that_does_not_exist_yet(garage: Garage) -> None:
    """A missing pool is no failure: the batch is Queued and says which pool it waits for."""
    garage.kubectl.apply(garage.batch("docs", documents(3), poolRefs=["later"]))
    status = garage.wait_for("docs", "Queued", 20)
    assert (status["reason"], status["message"]) == ("PoolNotFound", "No VehiclePool matches later")


def _with_model(garage: Garage, content: bytes) -> str:
    """Replaces the bundle's model file and its entry in bundle.json; returns the new digest."""
    folder = garage.folder / "model"
    manifest = json.loads((folder / "bundle.json").read_text())
    name = manifest["variants"][0]["file"]
    (folder / name).write_bytes(content)
    for entry in manifest["files"]:
        if entry["name"] == name:
            entry |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return "sha256:" + hashlib.sha256((folder / "bundle.json").read_bytes()).hexdigest()
