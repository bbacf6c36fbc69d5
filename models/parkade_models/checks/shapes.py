"""The shape of each tensor of a graph, node by node, as far as it can be known before anything runs."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import onnx
import onnx.defs
from onnx import helper, numpy_helper, shape_inference
from onnx.checker import ValidationError

from parkade_models.checks.operators import ONNX
from parkade_models.checks.tensors import WIDTHS
from parkade_models.checks.values import Value, compute
from parkade_models.errors import ModelRefusedError

_SMALL_ELEMENTS: Final = 1024  # more numbers than any shape is made with


class Shapes:
    """What is known of a model's tensors. *sizes* are shapes of inputs whose dimensions the model leaves open."""

    def __init__(self, model: Any, sizes: Mapping[str, Sequence[int]]) -> None:
        self._opsets = list(model.opset_import)
        self._opset = next(entry.version for entry in model.opset_import if entry.domain == ONNX)
        self._ir_version = model.ir_version
        self._types: dict[str, Any] = {}
        self._values: dict[str, Value] = {}
        for port in model.graph.input:
            self._types[port.name] = _sized(port.type, sizes.get(port.name, ()))
        for tensor in model.graph.initializer:
            self._types[tensor.name] = helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
            if math.prod(tensor.dims) <= _SMALL_ELEMENTS:
                self._values[tensor.name] = numpy_helper.to_array(tensor)

    def follow(self, node: Any) -> None:
        """Takes note of the node's outputs. Raises ModelRefusedError when its inputs do not fit the operator."""
        given = [name for name in node.input if name]
        schema = _schema(node.op_type, self._opset) if node.domain == ONNX else None
        if schema is None or any(name not in self._types for name in given):
            return
        types = {name: self._types[name] for name in given}
        data = {name: numpy_helper.from_array(self._values[name]) for name in given if name in self._values}
        try:
            found = shape_inference.infer_node_outputs(
                schema, node, types, data, None, self._opsets, self._ir_version
            )
        except (shape_inference.InferenceError, ValidationError, RuntimeError, ValueError) as error:
            sentence = " ".join(str(error).split())[:300]
            raise ModelRefusedError(f"the graph's shapes or types do not fit together: {sentence}") from None
        self._types |= found
        self._follow_value(node)

    def bytes_of(self, name: str) -> int:
        """The bytes of a tensor; a dimension that only a run decides counts as 1."""
        kind = self._types.get(name)
        if kind is None:
            return 0
        tensor = kind.tensor_type
        return math.prod(size for size in _shape(tensor) if size >= 0) * WIDTHS.get(tensor.elem_type, 1)

    def is_known(self, name: str) -> bool:
        """Whether no dimension of the tensor is left to a run."""
        kind = self._types.get(name)
        return kind is not None and kind.tensor_type.HasField("shape") and -1 not in _shape(kind.tensor_type)

    def _follow_value(self, node: Any) -> None:
        name = node.output[0]
        if not self.is_known(name) or math.prod(_shape(self._types[name].tensor_type)) > _SMALL_ELEMENTS:
            return
        value = None
        if node.op_type == "Shape" and self.is_known(node.input[0]) and not node.attribute:
            value = np.array(_shape(self._types[node.input[0]].tensor_type), np.int64)
        elif all(each in self._values for each in node.input if each):
            value = compute(node, [self._values.get(each) for each in node.input])
        if value is not None and value.size <= _SMALL_ELEMENTS:
            self._values[name] = value


@cache
def _schema(operator: str, opset: int) -> Any:
    return onnx.defs.get_schema(operator, opset, ONNX) if onnx.defs.has(operator, opset, ONNX) else None


def _shape(tensor: Any) -> list[int]:
    """Sizes; -1 where a run decides."""
    return [max(size.dim_value, -1) if size.HasField("dim_value") else -1 for size in tensor.shape.dim]


def _sized(kind: Any, shape: Sequence[int]) -> Any:
    """The type with those sizes where it has none; -1 says nothing, here and there."""
    sized = onnx.TypeProto()
    sized.CopyFrom(kind)
    for at, dimension in enumerate(sized.tensor_type.shape.dim):
        if dimension.dim_value < 0:
            dimension.ClearField("dim_value")
        if not dimension.HasField("dim_value") and at < len(shape) and shape[at] > 0:
            dimension.dim_value = shape[at]
    return sized
