"""What is refused of a stranger's model before anything loads it: the file, its graph, and the memory it asks for.

Run it in a disposable process under limits: the parser and the shape inference are C++ and read bytes that nobody
vouches for.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import onnx
from google.protobuf.message import DecodeError, EncodeError

from parkade_core.vehicle.death import STANDARD_MEMORY_BYTES
from parkade_models.checks.memory import check_memory
from parkade_models.checks.structure import check_structure
from parkade_models.errors import ModelRefusedError

CHECK_COPIES: Final = 4
"""How often a file is held while it is checked: as it is, as a message, and twice while that is measured."""

_OUT_OF_MEMORY: Final = "alloc failed"  # so says the parser


def check_model(
    raw: bytes, sizes: Mapping[str, Sequence[int]], most_bytes: int = STANDARD_MEMORY_BYTES
) -> int:
    """The bytes that the model's tensors take at most, by its shapes. Raises ModelRefusedError with a sentence.

    Raises MemoryError when there is no room for CHECK_COPIES of the file.

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
    except DecodeError as error:
        if _OUT_OF_MEMORY in str(error):
            raise MemoryError("there is too little memory to read the model") from None
        raise ModelRefusedError(
            "the file is not an ONNX model: it is no protobuf message of that kind"
        ) from None
    # What this parser does not see, or reads in another way than onnxruntime's, shows in the length.
    model.DiscardUnknownFields()
    if (size := _size(model)) != len(raw):
        raise ModelRefusedError(f"the file has {len(raw)} bytes, an ONNX model of its content has {size}")
    return model


def _size(model: Any) -> int:
    try:
        size: int = model.ByteSize()
    except EncodeError:  # what was just parsed can be written again
        raise MemoryError("there is too little memory to measure the model") from None
    return size
