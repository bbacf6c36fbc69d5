"""`python -m parkade_models.digits OUT_DIR`: trains a small CNN on scikit-learn's digits and builds its bundle.

Its convolutions are random and orthogonal and stay so; only the last layer is solved for, by ridge regression on
what they make of the training images. That takes seconds, needs no framework and reads 99 % of the held-out digits.
The layers are wide enough (95 million multiplications an image) that convolution is what a run spends its time on.

How it is quantized was decided by a search, which `--search` runs again. The same packages on the same kind of CPU
give the same bytes, so the bundle's digest is stable there.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from parkade_api.bundle import SCHEMA, BundleDescription, ImageInput, Precision, TensorOutput
from parkade_models import building, sources
from parkade_models.digits_data import Digit, Split, load
from parkade_models.graph import OPSET
from parkade_models.search.evaluation import Example
from parkade_models.search.request import Request
from parkade_models.session import Session
from parkade_models.tasks.inputs.image_input import ImageReader

NAME: Final = "digits"
SEARCH_FILE: Final = Path(__file__).with_name("digits_search.json")
"""What the search for the recipe found: the decision, and the report on all candidates."""

_READER: Final = "tasks/inputs/image_input.py"
_SIDE: Final = 32  # pixels
_FILTERS: Final = (64, 128, 256)
_FIRST_KERNEL: Final = 5
_KERNEL: Final = 3
_POOLED: Final = 4  # places in each direction
_FEATURES: Final = _FILTERS[-1] * _POOLED * _POOLED
_CLASSES: Final = 10
_BIAS: Final = -0.05  # of every convolution: faint answers become zero
_TARGET: Final = 4.0
"""The score of the right digit, and the negative of all others: a softmax of such scores is nearly 1."""
_RIDGE: Final = 1e-3  # of the features' mean square
_BATCH: Final = 32
_IR_VERSION: Final = 8  # what opset 17 was published with

_INPUT: Final = ImageInput(
    kind="image", tensor="image", width=_SIDE, height=_SIDE, mode="L", layout="NCHW", mean=[0.0], std=[1.0]
)
DESCRIPTION: Final = BundleDescription(
    schema=SCHEMA,
    name=NAME,
    version="1",
    license="Apache-2.0",
    source="trained by parkade_models.digits on the digits of scikit-learn 1.9.1",
    task="classification",
    endpoint="/v1/classifications",
    input=_INPUT,
    output=TensorOutput(tensor="scores", postprocess="softmax"),
)


def source_digest() -> str:
    """Short hex digest of everything that this bundle is made of."""
    return sources.source_digest("digits.py", "digits_data.py", _READER, SEARCH_FILE.name)


def build(out_dir: Path, precision: Precision = "INT8") -> str:
    """Trains the model, builds its bundle in *out_dir* and returns the digest. Raises BuildError."""
    digits = load()
    with _trained(digits) as model:
        if precision == "FP32":
            return building.write_float32(DESCRIPTION, model, out_dir)
        decision, calibration = building.decision_in(SEARCH_FILE), _examples(digits.calibration)
        return building.write_int8(DESCRIPTION, model, decision, calibration, out_dir)


def decide() -> None:
    """Searches the recipe that reads held-out digits fastest."""
    digits = load()
    with _trained(digits) as model:
        held_out, calibration = _examples(digits.held_out), _examples(digits.calibration)
        building.decide(Request(model, DESCRIPTION, model.parent, held_out, calibration), SEARCH_FILE)


def _examples(digits: Sequence[Digit]) -> list[Example]:
    return [digit.example() for digit in digits]


@contextmanager
def _trained(digits: Split) -> Iterator[Path]:
    with TemporaryDirectory(prefix="parkade-digits-") as scratch:
        model = Path(scratch) / "model.onnx"
        model.write_bytes(train(digits.train))
        yield model


def train(digits: Sequence[Digit]) -> bytes:
    """An ONNX file in float32 that gives ten scores for each image; the same for the same digits."""
    features = _run(_model([], "flat", _FEATURES), _images(digits))
    labels = np.array([int(digit.label) for digit in digits])
    weights, bias = _ridge(features, np.where(np.eye(_CLASSES, dtype=bool)[labels], _TARGET, -_TARGET))
    head = [_constant("weights", weights), _constant("bias", bias)]
    return _model(head, "scores", _CLASSES)


def _images(digits: Sequence[Digit]) -> NDArray[np.float32]:
    reader = ImageReader(_INPUT)
    return np.concatenate([reader.row(digit.png) for digit in digits])


def _run(model: bytes, images: NDArray[np.float32]) -> NDArray[np.float64]:
    session = Session(model, NAME)
    parts = np.split(images, range(_BATCH, len(images), _BATCH))
    return np.concatenate([session.run(["flat"], {_INPUT.tensor: part})[0] for part in parts]).astype(
        np.float64
    )


def _ridge(
    features: NDArray[np.float64], targets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and bias of the linear layer nearest to *targets*, solved in the space of the images, the smaller one."""
    mean, middle = features.mean(0), targets.mean(0)
    centred = features - mean
    kernel = centred @ centred.T
    kernel[np.diag_indices_from(kernel)] += _RIDGE * np.trace(kernel) / len(kernel)
    weights = centred.T @ np.linalg.solve(kernel, targets - middle)
    return weights, middle - mean @ weights


def _model(head: list[Any], output: str, width: int) -> bytes:
    """The graph as far as *output*: three convolutions, pooling, and a linear layer with the constants *head*."""
    nodes, constants = _convolutions()
    side = _SIDE // 2 // _POOLED
    last = nodes[-1].output[0]
    nodes.append(helper.make_node("MaxPool", [last], ["pooled"], kernel_shape=[side] * 2, strides=[side] * 2))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    if head:
        nodes.append(helper.make_node("Gemm", ["flat", *(constant.name for constant in head)], ["scores"]))
    shape: list[str | int | None] = ["rows", 1, _SIDE, _SIDE]
    graph = helper.make_graph(
        nodes,
        NAME,
        [helper.make_tensor_value_info(_INPUT.tensor, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["rows", width])],
        [*constants, *head],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    return bytes(model.SerializeToString())


def _convolutions() -> tuple[list[Any], list[Any]]:
    """Nodes and constants of the convolutions, each with its ReLU; the first one halves the image."""
    random = np.random.default_rng(0)
    nodes, constants, source, inputs = [], [], _INPUT.tensor, 1
    for number, filters in enumerate(_FILTERS):
        side, stride = (_FIRST_KERNEL, 2) if number == 0 else (_KERNEL, 1)
        weights = _orthogonal(random, filters, inputs * side * side).reshape(filters, inputs, side, side)
        names = [f"weights{number}", f"bias{number}"]
        constants += [_constant(names[0], weights), _constant(names[1], np.full(filters, _BIAS))]
        window: dict[str, Any] = {
            "kernel_shape": [side] * 2,
            "pads": [side // 2] * 4,
            "strides": [stride] * 2,
        }
        nodes.append(helper.make_node("Conv", [source, *names], [f"conv{number}"], **window))
        nodes.append(helper.make_node("Relu", [f"conv{number}"], [f"relu{number}"]))
        source, inputs = f"relu{number}", filters
    return nodes, constants


def _orthogonal(random: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    """Random rows of length sqrt(2), which keeps the size of signals through a ReLU; orthogonal as far as possible."""
    blocks = [
        np.linalg.qr(random.standard_normal((columns, min(columns, rows - start))))[0].T
        for start in range(0, rows, columns)
    ]
    return np.concatenate(blocks) * math.sqrt(2)


def _constant(name: str, values: NDArray[np.float64]) -> Any:
    return numpy_helper.from_array(values.astype(np.float32), name)


if __name__ == "__main__":
    building.run(build, decide)
