"""A batch of a stranger's bad model, on the real control plane: it fails with the reason, and nothing else does."""

import hashlib
from pathlib import Path

import pytest

from parkade_api.bundle import TensorInput, TensorShape
from support.batches import Garage, documents
from support.hostile import COLUMNS
from support.hostile_bombs import REFUSED
from support.models import write_bundle

pytestmark = pytest.mark.long(40)

BOMB = next(case for case in REFUSED if case.name == "load-bomb")
INPUT = TensorInput(kind="tensor", tensors=[TensorShape(name="x", datatype="FP32", shape=[1, COLUMNS])])


def test_a_model_that_three_vehicles_refuse_fails_its_batch(garage: Garage) -> None:
    """The status says which limit it breaks; the same vehicles then run a good model."""
    garage.open(vehicles=3)
    bomb = BOMB.make(Path())
    write_bundle(garage.folder / "bomb", bomb, input=INPUT, endpoint="/v1/embeddings")
    digest = hashlib.sha256((garage.folder / "bomb" / "bundle.json").read_bytes()).hexdigest()
    model = {"uri": "file:///bomb", "digest": f"sha256:{digest}"}
    garage.kubectl.apply(garage.batch("bomb", documents(30), model=model))
    status = garage.wait_for("bomb", "Failed")
    assert status["reason"] == "ModelRefused"
    assert status["message"].startswith(
        "the model was refused by 3 vehicles, last with ModelRefused: weights, constants"
    )
    assert status["message"].endswith("bytes; at most 2147483648 are taken")
    garage.kubectl.apply(garage.batch("good", documents(30)))
    assert garage.wait_for("good", "Completed")["requestCounts"]["completed"] == 30
