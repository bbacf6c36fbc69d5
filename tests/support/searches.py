"""Small models to search recipes for: one that quantizes well, one that does not, one with every kind of layer."""

import base64
import io
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from parkade_api.bundle import SCHEMA, BundleDescription, TensorInput, TensorShape
from parkade_models.search.evaluation import Example
from parkade_models.search.request import Request
from support.models import graph

WIDTH = 768
CLASSES = 16
Rows = NDArray[np.float32]


class Heard:
    """Progress, remembered."""

    def __init__(self) -> None:
        self.steps = 0
        self.done = 0
        self.stages: list[str] = []

    def begin(self, steps: int) -> None:
        """Remembers the sum."""
        self.steps = steps

    def stage(self, sentence: str) -> None:
        """Remembers the sentence."""
        self.stages.append(sentence)

    def advance(self, steps: int) -> None:
        """Adds up."""
        self.done += steps


def classifier(outlier: float = 0.0) -> bytes:
    """Two wide layers. An input whose first element is *outlier* leaves dynamic INT8 no resolution for the rest."""
    random = np.random.default_rng(7)
    wide = random.normal(size=(WIDTH, WIDTH)).astype(np.float32) / np.float32(WIDTH**0.5)
    head = random.normal(size=(WIDTH, CLASSES)).astype(np.float32)
    if outlier:
        wide[0] = 0
    return two_layers(wide, head, "x", "y")


def two_layers(wide: Rows, head: Rows, given: str, told: str) -> bytes:
    """A model of two products with a Relu between them, from the tensor *given* to the tensor *told*."""
    nodes = [
        helper.make_node("MatMul", [given, "wide"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("MatMul", ["active", "head"], [told]),
    ]
    weights = [numpy_helper.from_array(wide, "wide"), numpy_helper.from_array(head, "head")]
    x = helper.make_tensor_value_info(given, TensorProto.FLOAT, ["rows", wide.shape[0]])
    y = helper.make_tensor_value_info(told, TensorProto.FLOAT, ["rows", head.shape[1]])
    return graph(nodes, [x], [y], initializer=weights)


def rows(count: int, outlier: float = 0.0, seed: int = 1) -> list[Rows]:
    """Inputs of the classifier."""
    found = np.random.default_rng(seed).normal(size=(count, 1, WIDTH)).astype(np.float32)
    if outlier:
        found[:, :, 0] = outlier
    return list(found)


def packed(row: Rows, tensor: str = "x") -> str:
    """What task `tensor` takes as `body.input`."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **{tensor: row})
    return base64.b64encode(content.getvalue()).decode()


def classifier_request(folder: Path, outlier: float = 0.0, gate: float = 0.9) -> Request:
    """A search over the classifier in *folder*, labelled by the classifier itself in float64."""
    (folder / "model.onnx").write_bytes(classifier(outlier))
    return Request(
        model=folder / "model.onnx",
        description=description(),
        folder=folder,
        evaluation=[Example(packed(row), label=_label(row, outlier)) for row in rows(60, outlier)],
        calibration=[Example(packed(row)) for row in rows(8, outlier, seed=2)],
        gate=gate,
    )


def _label(row: Rows, outlier: float) -> str:
    model = onnx.load_model_from_string(classifier(outlier))
    wide, head = (numpy_helper.to_array(each).astype(np.float64) for each in model.graph.initializer)
    return str(int((np.maximum(row @ wide, 0) @ head).argmax()))


def description(**fields: object) -> BundleDescription:
    """What the classifier's publisher says of it."""
    stated: dict[str, object] = {
        "schema": SCHEMA,
        "name": "classifier",
        "version": "1",
        "license": "MIT",
        "source": "made by a test",
        "task": "tensor",
        "endpoint": "/v1/tensors",
        "input": TensorInput(
            kind="tensor", tensors=[TensorShape(name="x", datatype="FP32", shape=[-1, WIDTH])]
        ),
    }
    return BundleDescription.model_validate(stated | fields)


def picture_network() -> bytes:
    """A small network with a Conv, a depthwise Conv, an embedding table and a head."""
    random = np.random.default_rng(3)
    weights = {
        "table": random.normal(size=(32, 8)),
        "first": random.normal(size=(16, 3, 3, 3)),
        "deep": random.normal(size=(16, 1, 3, 3)),
        "head": random.normal(size=(16, 8)),
    }
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "deep"], ["c"], group=16, pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("MatMul", ["e", "head"], ["f"]),
        helper.make_node("Gather", ["table", "word"], ["g"]),
        helper.make_node("Mul", ["f", "g"], ["y"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])
    word = helper.make_tensor_value_info("word", TensorProto.INT64, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])
    constants = [numpy_helper.from_array(each.astype(np.float32), name) for name, each in weights.items()]
    return graph(nodes, [image, word], [y], initializer=constants)
