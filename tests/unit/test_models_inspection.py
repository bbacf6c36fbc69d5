"""What an ONNX file says of itself, what it would compute in, and the description that is drafted of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

from parkade_api.bundle import BundleDescription
from parkade_models.errors import ModelRefusedError
from parkade_models.inspection import Inspection, Weights, inspect_model
from parkade_models.session import TensorSpec
from parkade_models.skeleton import describe
from support.models import echo, graph

_SQUARE = np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(64, 64)


def port(name: str) -> Any:
    """A row of 64 numbers a record."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 64])


def product() -> bytes:
    """A graph with one matrix product in float32."""
    node = helper.make_node("MatMul", ["in", "weights"], ["out"])
    return graph(
        [node], [port("in")], [port("out")], initializer=[numpy_helper.from_array(_SQUARE, "weights")]
    )


def weights_only() -> bytes:
    """The same product with weights that are stored in INT8 and multiplied in float32."""
    nodes = [
        helper.make_node("Cast", ["weights"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["wide", "scale"], ["real"]),
        helper.make_node("MatMul", ["in", "real"], ["out"]),
    ]
    weights = numpy_helper.from_array((_SQUARE * 127).astype(np.int8), "weights")
    scale = numpy_helper.from_array(np.float32(1 / 127), "scale")
    return graph(nodes, [port("in")], [port("out")], initializer=[weights, scale])


def inspected(folder: Path, model: bytes) -> Inspection:
    """The inspection of a file with those bytes."""
    (folder / "My Model_2.onnx").write_bytes(model)
    return inspect_model(folder / "My Model_2.onnx", {})


def test_a_file_tells_its_tensors_operators_and_weights(tmp_path: Path) -> None:
    """Inputs that are weights are none; sizes that a run decides are -1; types are named as the protocol does."""
    found = inspected(tmp_path, product())
    assert (found.ir_version, found.opsets) == (8, {"ai.onnx": 17})
    assert found.inputs == (TensorSpec("in", "FP32", (-1, 64)),)
    assert found.outputs == (TensorSpec("out", "FP32", (-1, 64)),)
    assert found.operators == {"MatMul": 1}
    assert found.weights == {"FP32": Weights(64 * 64, 64 * 64 * 4)}
    assert (found.refusal, found.size) == (None, len(product()))
    assert found.memory is not None
    assert found.memory >= 64 * 64 * 4


def test_what_is_computed_is_told_by_what_runs_and_not_by_how_weights_are_stored(tmp_path: Path) -> None:
    """float32, INT8, INT8 that only its weights are, and no product at all."""
    (tmp_path / "float.onnx").write_bytes(product())
    quantize_dynamic(tmp_path / "float.onnx", tmp_path / "int8.onnx")
    models = (product(), (tmp_path / "int8.onnx").read_bytes(), weights_only(), echo(("a", 1, [1])))
    assert [inspected(tmp_path, model).computes for model in models] == [
        "in float: 1 products",
        "in integers: 1 of 1 products",
        "in float: weights-only INT8, none of 1 products is computed in integers",
        "in float: 0 products",
    ]


def test_the_metadata_tells_producer_and_licence(tmp_path: Path) -> None:
    """Keys about a licence are shown, and the draft states the first of them."""
    model = ModelProto.FromString(product())
    model.producer_name, model.producer_version = "torch", "2"
    helper.set_model_props(model, {"License": "AGPL-3.0", "author": "somebody"})
    found = inspected(tmp_path, model.SerializeToString())
    assert (found.producer, found.licences) == ("torch 2", {"License": "AGPL-3.0"})
    assert describe(found).license == "AGPL-3.0"


def test_a_model_that_vehicles_refuse_is_told_so_and_is_not_loaded(tmp_path: Path) -> None:
    """The sentence is that of the checks; what would need a session stays unknown."""
    node = helper.make_node("Surprise", ["in"], ["out"], domain="my.own")
    found = inspected(tmp_path, graph([node], [port("in")], [port("out")]))
    assert "vehicles do not run" in (found.refusal or "")
    assert (found.memory, found.products) == (None, None)
    assert found.computes == "unknown: it is not loaded"


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    """A letter is no model."""
    with pytest.raises(ModelRefusedError, match=r"My Model_2\.onnx is no ONNX file"):
        inspected(tmp_path, b"This is a letter.")


F, I32, I64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64
DRAFTS: list[tuple[list[tuple[str, int, list[int | str]]], str, dict[str, object]]] = [
    (
        [("attention_mask", I64, ["n", "m"]), ("input_ids", I64, ["n", "m"])],
        "embedding /v1/embeddings",
        {"kind": "text", "tensors": ["input_ids", "attention_mask"]},
    ),
    ([("b", I32, ["n", 2048])], "classification /v1/classifications", {"kind": "bytes", "tensor": "b"}),
    (
        [("x", F, ["n", 3, 48, 192])],
        "classification /v1/classifications",
        {"kind": "image", "layout": "NCHW", "mode": "RGB", "height": 48, "width": 192},
    ),
    (
        [("x", F, ["n", "h", "w", 1])],
        "classification /v1/classifications",
        {"kind": "image", "layout": "NHWC", "mode": "L", "height": 224, "width": 224},
    ),
    ([("x", F, ["n", 7, 8, 9])], "tensor /v1/tensors", {"kind": "tensor"}),
    ([("x", F, ["n", 7]), ("y", I64, ["n"])], "tensor /v1/tensors", {"kind": "tensor"}),
]


@pytest.mark.parametrize(("tensors", "task", "given"), DRAFTS)
def test_a_draft_is_a_description(
    tmp_path: Path, tensors: list[tuple[str, int, list[int | str]]], task: str, given: dict[str, object]
) -> None:
    """The task is guessed from the inputs, and what is drafted can be read back as it is."""
    draft = describe(inspected(tmp_path, echo(*tensors)))
    assert f"{draft.task} {draft.endpoint}" == task
    assert draft.name == "my-model-2"
    assert draft.input.model_dump().items() >= given.items()
    assert BundleDescription.model_validate_json(draft.model_dump_json(by_alias=True)) == draft
