"""What is refused of a stranger's model before anything loads it: the file, its graph, and the memory it asks for.

Run it in a disposable process under limits: the parser and the shape inference are C++ and read bytes that nobody
vouches for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from parkade_core.vehicle.death import STANDARD_MEMORY_BYTES
from parkade_models.checks.memory import check_memory
from parkade_models.checks.structure import check_structure
from parkade_models.errors import ModelRefusedError


def check_model(
    raw: bytes, sizes: Mapping[str, Sequence[int]], most_bytes: int = STANDARD_MEMORY_BYTES
) -> int:
    """The bytes that the model's tensors take at most, by its shapes. Raises ModelRefusedError with a sentence.

    *raw* is the whole file. *sizes* are the shapes of the largest inputs, by name, for dimensions that the model
    leaves open. What asks for more than *most_bytes* is refused.
    """
    model = _parsed(raw)
    check_structure(model)
    return check_memory(model, sizes, most_bytes)


def _parsed(raw: bytes) -> Any:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(raw)
    except DecodeError:
        raise ModelRefusedError(
            "the file is not an ONNX model: it is no protobuf message of that kind"
        ) from None
    # What this parser does not see, or reads in another way than onnxruntime's, shows in the length.
    model.DiscardUnknownFields()
    if (size := model.ByteSize()) != len(raw):
        raise ModelRefusedError(f"the file has {len(raw)} bytes, an ONNX model of its content has {size}")
    return model
