"""A verification ends at the first step that is not good, with a sentence; what it cannot judge it says."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from parkade_api.bundle import Quality, TensorInput, TensorShape, Variant
from parkade_models.bundle import Bundle
from parkade_models.search.evaluation import Example
from parkade_models.verification import Step, verify
from support.models import MODEL_FILE, echo, graph, write_bundle

STEPS = ["files", "signature", "checks", "load", "INT8", "vectors"]
ECHO = echo(("x", TensorProto.FLOAT, ["n", 4]))


def steps(folder: Path, *examples: Example) -> list[Step]:
    """The steps of a verification without keys."""
    return list(verify(folder, [], examples))


def example(label: int | None) -> Example:
    """A record of four numbers, the third of which is the largest."""
    packed = io.BytesIO()
    np.savez(packed, x=np.array([[0, 1, 3, 2]], np.float32))
    return Example(base64.b64encode(packed.getvalue()).decode(), None if label is None else str(label))


def stated(**quality: Any) -> list[Variant]:
    """Variants of a manifest that states the quality of its only one."""
    variant = Variant(precision="INT8", file=MODEL_FILE, requires="x86-64", recipe="none")
    return [variant.model_copy(update={"quality": Quality(**quality)})]


def stored_in_int8() -> bytes:
    """A product whose weights are stored in INT8 and multiplied in float32."""
    nodes = [
        helper.make_node("Cast", ["w8"], ["w"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "w"], ["out"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "out")]
    weights = [numpy_helper.from_array(np.eye(4, dtype=np.int8), "w8")]
    return graph(nodes, ports[:1], ports[1:], initializer=weights)


def test_every_step_of_a_good_bundle_is_told(tmp_path: Path) -> None:
    """Without keys and data nothing is said of publisher and quality but that."""
    write_bundle(tmp_path, ECHO)
    found = steps(tmp_path)
    assert [step.name for step in found] == STEPS
    assert all(step.is_good for step in found)
    assert found[1].sentence == "the bundle is unsigned"
    (tmp_path / "bundle.sig").write_text("a signature")
    assert steps(tmp_path)[1].sentence == "not verified: no public key was given"


def _of_another_tensor() -> TensorInput:
    return TensorInput(kind="tensor", tensors=[TensorShape(name="y", datatype="FP32", shape=[-1, 4])])


BAD: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("checks", graph([helper.make_node("Own", ["x"], ["o"], domain="my")], [], []), {}, "the graph has no"),
    ("load", ECHO, {"input": _of_another_tensor()}, "y"),
    ("INT8", stored_in_int8(), {}, "weights-only INT8: none of 1 products"),
]


@pytest.mark.parametrize(("name", "model", "fields", "sentence"), BAD, ids=[row[0] for row in BAD])
def test_the_first_bad_step_is_the_last(
    tmp_path: Path, name: str, model: bytes, fields: dict[str, Any], sentence: str
) -> None:
    """The sentence says what is wrong."""
    given = {
        "input": TensorInput(kind="tensor", tensors=[TensorShape(name="x", datatype="FP32", shape=[-1, 4])])
    }
    write_bundle(tmp_path, model, **given | fields)
    found = steps(tmp_path)
    assert [step.name for step in found] == STEPS[: STEPS.index(name) + 1]
    assert [step.is_good for step in found] == [True] * (len(found) - 1) + [False]
    assert sentence in found[-1].sentence


def test_vectors_that_are_no_bodies_are_told(tmp_path: Path) -> None:
    """A vehicle would refuse them, too."""
    (tmp_path / "vectors.jsonl").write_text("no json\n")
    write_bundle(tmp_path, ECHO, vectors="vectors.jsonl")
    assert (steps(tmp_path)[-1].name, steps(tmp_path)[-1].is_good) == ("vectors", False)


@pytest.mark.parametrize(
    ("label", "is_good", "sentence"),
    [
        (2, True, "accuracy 1.0000 over 1 examples; bundle.json states 0.9000 over 10, float32 0.9500"),
        (0, False, "under the gate of 99%"),
        (None, False, "data without labels can only be compared with float32"),
    ],
)
def test_quality_is_held_to_the_gate(
    tmp_path: Path,
    label: int | None,
    is_good: bool,  # noqa: FBT001 - a row of the table
    sentence: str,
) -> None:
    """Labelled data is scored again; the gate is that of the build."""
    quality = {"metric": "accuracy", "value": 0.9, "reference": 0.95, "gate": 0.99, "records": 10}
    write_bundle(tmp_path, ECHO, variants=stated(**quality))
    last = steps(tmp_path, example(label))[-1]
    assert (last.name, last.is_good) == ("quality", is_good)
    assert sentence in last.sentence


def test_a_rank_among_other_pairs_is_shown_and_not_judged(int8_bundle: Bundle) -> None:
    """A match is found more easily among few: the bundle's figure is of thousands."""
    pairs = [Example("A car is parked.", match="It stands."), Example("Rain falls.", match="It is wet.")]
    last = steps(int8_bundle.folder, *pairs)[-1]
    assert (last.name, last.is_good) == ("quality", True)
    assert "among another number of pairs, so nothing follows" in last.sentence


def test_a_figure_that_the_bundle_does_not_state_is_shown(tmp_path: Path) -> None:
    """There is nothing to hold it to."""
    write_bundle(tmp_path, ECHO)
    assert steps(tmp_path, example(2))[-1].sentence.endswith("bundle.json states none to compare with")
