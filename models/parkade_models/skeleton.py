"""A description to start from: what the publisher of a bundle must state, guessed from the tensors of an ONNX file."""

import re
from collections.abc import Sequence
from typing import Any, Final

from parkade_api.bundle import (
    SCHEMA,
    BundleDescription,
    BytesInput,
    ImageInput,
    Input,
    TensorInput,
    TensorOutput,
    TensorShape,
    TextInput,
)
from parkade_models.inspection import Inspection
from parkade_models.session import TensorSpec

_MODES: Final[dict[int, Any]] = {1: "L", 3: "RGB"}
_TEXT_TENSORS: Final = ("ids", "mask", "type")  # in the order in which the manifest wants them
_ROWS: Final = 2  # dimensions
_PIXELS: Final = 224
_BYTES: Final = 1024


def describe(inspection: Inspection) -> BundleDescription:
    """A description of that file which a search takes as it is, once its publisher has corrected the guesses."""
    given = _input(inspection.inputs)
    tensor = _output(inspection.outputs)
    fields: dict[str, Any] = {"task": "tensor", "endpoint": "/v1/tensors"}
    match given:
        case TensorInput():
            pass
        case TextInput():
            output = TensorOutput(tensor=tensor, postprocess="l2")
            fields = {"task": "embedding", "endpoint": "/v1/embeddings", "output": output}
        case BytesInput() | ImageInput():
            output = TensorOutput(tensor=tensor, postprocess="softmax", labels="labels.txt")
            fields = {"task": "classification", "endpoint": "/v1/classifications", "output": output}
    return BundleDescription(
        schema=SCHEMA,
        name=_name(inspection.file),
        version="1",
        license=next(iter(inspection.licences.values()), "the SPDX identifier of the weights' licence"),
        source="where the weights come from",
        input=given,
        **fields,
    )


def _name(file: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", file.removesuffix(".onnx").lower())
    return plain[:63].strip("-") or "model"


def _output(specs: Sequence[TensorSpec]) -> str:
    """The first tensor with a row of numbers for each record, else the first."""
    rows = (spec for spec in specs if spec.datatype == "FP32" and len(spec.shape) == _ROWS)
    return next(rows, specs[0]).name


def _input(specs: Sequence[TensorSpec]) -> Input:
    """The kind of input that fits the graph's tensors best."""
    ranks = {(spec.datatype, len(spec.shape)) for spec in specs}
    if ranks == {("INT64", 2)}:
        names = sorted((spec.name for spec in specs), key=_place)
        return TextInput(kind="text", tokenizer="tokenizer.json", maxTokens=128, tensors=names)
    if len(specs) == 1 and ranks == {("INT32", 2)}:
        return BytesInput(
            kind="bytes", tensor=specs[0].name, beginning=_BYTES, end=0, block=_BYTES, padding=256
        )
    if len(specs) == 1 and ranks == {("FP32", 4)} and (image := _image(specs[0])) is not None:
        return image
    shapes: list[Any] = [{"name": s.name, "datatype": s.datatype, "shape": list(s.shape)} for s in specs]
    return TensorInput(kind="tensor", tensors=[TensorShape(**shape) for shape in shapes])


def _place(name: str) -> int:
    return next((place for place, part in enumerate(_TEXT_TENSORS) if part in name.lower()), 0)


def _image(spec: TensorSpec) -> ImageInput | None:
    """An image of the size that the graph states; None when no axis has one or three channels."""
    _, first, second, last = spec.shape
    if first in _MODES:
        layout, channels, height, width = "NCHW", first, second, last
    elif last in _MODES:
        layout, channels, height, width = "NHWC", last, first, second
    else:
        return None
    return ImageInput(
        kind="image",
        tensor=spec.name,
        width=width if width > 0 else _PIXELS,
        height=height if height > 0 else _PIXELS,
        mode=_MODES[channels],
        layout=layout,
        mean=[0.5] * channels,
        std=[0.5] * channels,
    )
