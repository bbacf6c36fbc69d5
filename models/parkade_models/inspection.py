"""What an ONNX file holds, what it would compute in, and whether a vehicle would take it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import onnx
from onnx import TensorProto

from parkade_models.checks import check_model
from parkade_models.checks.tensors import WIDTHS
from parkade_models.errors import ModelRefusedError
from parkade_models.graph import Products, products
from parkade_models.licence import own_licences
from parkade_models.session import TensorSpec

_NAMES: Final = {
    TensorProto.BOOL: "BOOL",
    TensorProto.UINT8: "UINT8",
    TensorProto.INT8: "INT8",
    TensorProto.UINT16: "UINT16",
    TensorProto.INT16: "INT16",
    TensorProto.FLOAT16: "FP16",
    TensorProto.BFLOAT16: "BF16",
    TensorProto.UINT32: "UINT32",
    TensorProto.INT32: "INT32",
    TensorProto.FLOAT: "FP32",
    TensorProto.UINT64: "UINT64",
    TensorProto.INT64: "INT64",
    TensorProto.DOUBLE: "FP64",
    TensorProto.STRING: "BYTES",
}


@dataclass(frozen=True, slots=True)
class Weights:
    """All weights of one datatype."""

    parameters: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """An ONNX file, looked at without running it."""

    file: str
    size: int
    """Bytes."""

    ir_version: int
    opsets: Mapping[str, int]
    """By domain; the standard operators' is `ai.onnx`."""

    producer: str
    licences: Mapping[str, str]
    """What the file's own metadata says of its licence, by key."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: Mapping[str, int]
    """How many nodes, the most frequent operator first."""

    weights: Mapping[str, Weights]
    """By datatype."""

    refusal: str | None
    """Why a vehicle would refuse the file before it loads it; None when it would not."""

    memory: int | None
    """Bytes that its tensors take at most, by their shapes; None when it is refused."""

    products: Products | None
    """What onnxruntime computes in integers and in float here; None when the file is refused or cannot be loaded."""

    @property
    def computes(self) -> str:
        """What the products are computed in, a sentence."""
        if self.products is None:
            return "unknown: it is not loaded"
        integer, total = self.products.integer, self.products.integer + self.products.float
        if integer:
            return f"in integers: {integer} of {total} products"
        small = sum(self.weights[kind].parameters for kind in ("INT8", "UINT8") if kind in self.weights)
        if 2 * small > sum(each.parameters for each in self.weights.values()):
            return f"in float: weights-only INT8, none of {total} products is computed in integers"
        return f"in float: {total} products"

    def as_json(self) -> dict[str, Any]:
        """The inspection as plain JSON values."""
        return asdict(self) | {"computes": self.computes}


def inspect_model(path: Path, sizes: Mapping[str, Sequence[int]]) -> Inspection:
    """What the ONNX file at *path* holds. Raises ModelRefusedError when it is none, OSError.

    *sizes* are the shapes of its largest inputs, by name, for dimensions that the file leaves open.
    """
    raw = path.read_bytes()
    try:
        model = onnx.load_model_from_string(raw)
    except Exception as error:  # noqa: BLE001 - protobuf's errors share no base with onnx's
        raise ModelRefusedError(f"{path.name} is no ONNX file: {error}") from None
    refusal, memory = _checked(raw, sizes)
    return Inspection(
        file=path.name,
        size=len(raw),
        ir_version=model.ir_version,
        opsets={entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        licences=own_licences(model),
        inputs=_inputs(model.graph),
        outputs=tuple(_spec(port) for port in model.graph.output),
        operators=dict(Counter(node.op_type for node in model.graph.node).most_common()),
        weights=_weights(model.graph.initializer),
        refusal=refusal,
        memory=memory,
        products=None if refusal else _products(path),
    )


def _checked(raw: bytes, sizes: Mapping[str, Sequence[int]]) -> tuple[str | None, int | None]:
    try:
        return None, check_model(raw, sizes)
    except ModelRefusedError as error:
        return str(error), None


def _products(path: Path) -> Products | None:
    try:
        return products(path)
    except Exception:  # noqa: BLE001 - onnxruntime's exceptions share no base of their own
        return None


def _inputs(graph: Any) -> tuple[TensorSpec, ...]:
    """The inputs that a caller gives: old files list weights among them, too."""
    weights = {tensor.name for tensor in graph.initializer}
    return tuple(_spec(port) for port in graph.input if port.name not in weights)


def _spec(port: Any) -> TensorSpec:
    tensor = port.type.tensor_type
    sizes = (size.dim_value if size.HasField("dim_value") else -1 for size in tensor.shape.dim)
    return TensorSpec(port.name, _NAMES.get(tensor.elem_type, str(tensor.elem_type)), tuple(sizes))


def _weights(tensors: Sequence[Any]) -> dict[str, Weights]:
    counts = Counter[Any]()
    for tensor in tensors:
        counts[tensor.data_type] += math.prod(tensor.dims)
    return {
        _NAMES.get(kind, str(kind)): Weights(count, count * WIDTHS.get(kind, 0))
        for kind, count in counts.most_common()
    }
