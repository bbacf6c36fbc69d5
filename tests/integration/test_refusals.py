"""A batch that cannot work fails with a reason and says what was wrong, before any vehicle sees it."""

import hashlib
import json

import pytest

from support.batches import Garage, Object, documents, pool

DIGEST = "sha256:" + "0" * 64


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
        {"input": {"uri": "file:///%2e%2e/%2e%2e/etc/passwd"}},
        "InputUnreadable",
        "write the plain path",
    ),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_batch_that_cannot_work_fails_with_a_reason(case: str, garage: Garage) -> None:
    """The status names the reason and what was wrong; nothing is scheduled for it."""
    spec, reason, word = FAILING[case]
    garage.kubectl.apply(pool(garage.region, garage.region))
    garage.kubectl.apply(garage.batch("docs", documents(3), **spec))
    status = garage.wait_for("docs", "Failed")
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
    status = garage.wait_for("docs", "Failed")
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
    status = garage.wait_for("docs", "Queued")
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
