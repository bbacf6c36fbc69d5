"""What is proved of a candidate before it is chosen, and what it is measured with."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from parkade_models.errors import BuildError
from parkade_models.graph import Products, prepare, products
from parkade_models.recipes import Calibration, Method, Recipe, Scope, quantize
from parkade_models.search.budget import measure_budget
from parkade_models.search.evaluation import DataError
from parkade_models.search.proof import GAIN, RowsProof, decide_rows, prove_recipe, prove_rows, repeats
from parkade_models.search.workshop import Workshop, check_same, feeds_of
from parkade_models.session import Session
from parkade_models.tasks import open_task
from parkade_models.tasks.task import Task
from support.models import graph, write_bundle
from support.searches import WIDTH, classifier, description, packed, rows

BODIES = [{"input": packed(row)} for row in rows(20)]


def _graph(*nodes: Any, **parts: Any) -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", WIDTH])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", WIDTH])
    return graph(list(nodes), [x], [y], **parts)


ALONE = _graph(helper.make_node("Relu", ["x"], ["y"]))
MIXED = _graph(
    helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
    helper.make_node("Sub", ["x", "mean"], ["y"]),
)
RANDOM = _graph(helper.make_node("RandomUniformLike", ["x"], ["y"]))


def _task(folder: Path, model: bytes, rows_per_run: int = 1) -> Task:
    return open_task(write_bundle(folder / str(rows_per_run), model, rowsPerRun=rows_per_run))


def test_rows_that_depend_on_each_other_run_alone(tmp_path: Path) -> None:
    """A graph that looks at all rows of a run gives a record other bytes in company: one record a run."""
    proof = prove_rows(_task(tmp_path, MIXED), _task(tmp_path, MIXED, 8), BODIES)
    assert (proof.rows_per_run, proof.sentence) == (1, "records that share a run change each other's bytes")


def test_rows_of_a_dynamic_model_run_alone(tmp_path: Path) -> None:
    """Dynamic quantization takes one range for all rows of a run, so records may not share one."""
    (tmp_path / "model.onnx").write_bytes(classifier())
    prepare(tmp_path / "model.onnx", tmp_path / "folded.onnx")
    workshop = Workshop(description(), tmp_path, tmp_path)
    recipe = Recipe(Method.DYNAMIC, Scope.MATMUL)
    calibration = Calibration(tmp_path / "folded.onnx", [], tmp_path)
    quantize(recipe, tmp_path / "folded.onnx", workshop.path(recipe.name), calibration)
    proof = prove_recipe(workshop, recipe.name, BODIES)
    assert (proof.rows_per_run, proof.sentence) == (1, "records that share a run change each other's bytes")


def test_independent_rows_are_found(tmp_path: Path) -> None:
    """Where no byte changes, the speed alone decides."""
    proof = prove_rows(_task(tmp_path, ALONE), _task(tmp_path, ALONE, 8), BODIES)
    assert "times as fast" in proof.sentence


@pytest.mark.parametrize(
    ("gain", "same", "expected"),
    [
        (GAIN, True, RowsProof(8, "no byte changes, and runs of 8 records are 1.03 times as fast")),
        (1.02, True, RowsProof(1, "runs of 8 records are 1.02 times as fast as single ones")),
        (9.0, False, RowsProof(1, "records that share a run change each other's bytes")),
    ],
)
def test_records_share_a_run_when_that_is_exact_and_faster(
    gain: float, expected: RowsProof, *, same: bool
) -> None:
    """Both must hold, and the sentence says which does not."""
    assert decide_rows(gain, same=same) == expected


def test_task_of_one_record_a_run_needs_no_proof(tmp_path: Path) -> None:
    """A task that takes one record a run is not asked for more."""
    task = _task(tmp_path, ALONE)
    assert prove_rows(task, task, BODIES).sentence == "the task runs one record at a time"


@pytest.mark.parametrize(("model", "same"), [(ALONE, True), (RANDOM, False)], ids=["plain", "random"])
def test_model_must_repeat_itself(tmp_path: Path, model: bytes, *, same: bool) -> None:
    """A model that draws random numbers is found."""
    one, other = (_task(tmp_path / name, model) for name in ("one", "other"))
    assert repeats(one, other, BODIES) == same


def test_feeds_are_what_the_task_makes_of_records(tmp_path: Path) -> None:
    """Calibration sees the arrays that a record becomes, and nothing is listened to afterwards."""
    task = _task(tmp_path, ALONE)
    feeds = feeds_of(task, BODIES[:3])
    assert [each["x"].tobytes() for each in feeds] == [row.tobytes() for row in rows(20)[:3]]
    assert task.session.observe is None
    with pytest.raises(DataError, match="record 2 of the calibration data: "):
        feeds_of(task, [BODIES[0], {"input": "AAAA"}])


def test_preparation_may_not_change_what_is_computed(tmp_path: Path) -> None:
    """A prepared graph that gives other numbers than the file is refused with the output's name."""
    (tmp_path / "model.onnx").write_bytes(classifier())
    feeds = [{"x": row} for row in rows(2)]
    check_same(tmp_path / "model.onnx", Session(classifier(), "same"), feeds)
    with pytest.raises(BuildError, match=r"folding and upgrading model\.onnx changes its output y"):
        check_same(tmp_path / "model.onnx", Session(classifier(outlier=1.0), "other"), feeds)


def test_bundle_that_cannot_be_measured_is_told(tmp_path: Path) -> None:
    """The measuring process's own words are handed on."""
    with pytest.raises(BuildError, match=r"the bundle could not be measured: .*bundle\.json cannot be read"):
        measure_budget(tmp_path, BODIES[:1])


def test_integers_that_are_computed_in_float_are_found(tmp_path: Path) -> None:
    """A file with INT8 weights that are cast and scaled before the product computes nothing in integers."""
    weights = np.random.default_rng(5).integers(-127, 127, (WIDTH, WIDTH), dtype=np.int8)
    nodes = [
        helper.make_node("Cast", ["weights"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["cast", "scale"], ["scaled"]),
        helper.make_node("MatMul", ["x", "scaled"], ["y"]),
    ]
    scale = numpy_helper.from_array(np.float32(0.01), "scale")
    constants = [numpy_helper.from_array(weights, "weights"), scale]
    onnx.save(onnx.load_model_from_string(_graph(*nodes, initializer=constants)), str(tmp_path / "int8.onnx"))
    assert products(tmp_path / "int8.onnx") == Products(integer=0, float=1)
