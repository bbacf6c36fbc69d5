"""How much memory a graph takes by its shapes, before anything of it is loaded.

onnx's own shape inference says how large each tensor is for the largest record that the bundle allows. A size that
only a run decides counts as 1: there the process's memory limit holds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import onnx
from onnx import shape_inference

from parkade_models.checks.tensors import MOST_DIMENSIONS, WIDTHS
from parkade_models.errors import ModelRefusedError

_SMALL_ELEMENTS: Final = 1024  # constants of this size can be shapes, which the inference must read
_INTEGERS: Final = frozenset((onnx.TensorProto.INT32, onnx.TensorProto.INT64))
_GROWING: Final = frozenset(
    ("ConstantOfShape", "Expand", "EyeLike", "OneHot", "Pad", "Range", "Resize", "Tile", "Upsample")
)


def check_memory(model: Any, sizes: Mapping[str, Sequence[int]], most_bytes: int) -> int:
    """The bytes that weights, constants and the tensors alive at one time take; *model* is used up.

    *sizes* are shapes of inputs that the model leaves open. Refuses what takes more than *most_bytes*.
    """
    weights = sum(math.prod(tensor.dims) * WIDTHS[tensor.data_type] for tensor in model.graph.initializer)
    _refuse_over(weights, "the weights take", most_bytes)
    constant = {tensor.name for tensor in model.graph.initializer}
    taken = _tensor_bytes(_inferred(model, sizes))
    return _peak(model.graph, weights, constant, taken, most_bytes)


def _inferred(model: Any, sizes: Mapping[str, Sequence[int]]) -> Any:
    """The model with a shape for each tensor that can be known; weights are left behind, they need no inference."""
    slim = onnx.ModelProto()
    slim.ir_version = model.ir_version
    slim.opset_import.extend(model.opset_import)
    slim.graph.name = "graph"
    slim.graph.node.extend(model.graph.node)
    slim.graph.output.extend(model.graph.output)
    weights = {tensor.name for tensor in model.graph.initializer}
    for port in model.graph.input:
        if port.name not in weights:
            slim.graph.input.add().CopyFrom(_sized(port, sizes.get(port.name, ())))
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL_ELEMENTS:
            slim.graph.initializer.add().CopyFrom(tensor)
        else:
            slim.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    try:
        propagate = _is_safe_to_propagate(slim.graph)
        return shape_inference.infer_shapes(slim, check_type=True, strict_mode=True, data_prop=propagate)
    except (shape_inference.InferenceError, RuntimeError, ValueError, IndexError) as error:
        sentence = " ".join(str(error).split())[:300]
        raise ModelRefusedError(f"the graph's shapes or types do not fit together: {sentence}") from None


def _is_safe_to_propagate(graph: Any) -> bool:
    """Whether onnx may follow the values of shapes through the graph: it holds them as lists, however long they get.

    Only Range and Concat make a list longer than those that they are given.
    """
    lengths = {
        tensor.name: math.prod(tensor.dims) for tensor in graph.initializer if tensor.data_type in _INTEGERS
    }
    for node in graph.node:
        given = [lengths.get(name, 0) for name in node.input]
        length = sum(given) if node.op_type == "Concat" else max((*given, _own_values(node)))
        if length > _SMALL_ELEMENTS or node.op_type == "Range":
            return False
        lengths.update(dict.fromkeys(node.output, length))
    return True


def _own_values(node: Any) -> int:
    """How many numbers a node has that are not given to it: a Shape's dimensions, or a Constant's values."""
    if node.op_type == "Shape":
        return MOST_DIMENSIONS
    tensors = [attribute.t for attribute in node.attribute if attribute.type == onnx.AttributeProto.TENSOR]
    values = [math.prod(tensor.dims) for tensor in tensors if tensor.data_type in _INTEGERS]
    lists = [len(attribute.ints) for attribute in node.attribute if attribute.name == "value_ints"]
    return max(values + lists, default=0)


def _sized(port: Any, shape: Sequence[int]) -> Any:
    sized = onnx.ValueInfoProto()
    sized.CopyFrom(port)
    for dimension, size in zip(sized.type.tensor_type.shape.dim, shape, strict=False):
        if dimension.dim_value <= 0 and size > 0:
            dimension.dim_value = size
    return sized


def _tensor_bytes(model: Any) -> dict[str, int | None]:
    """Bytes of each tensor with a known type; None where a dimension is not known."""
    graph = model.graph
    ports = (*graph.input, *graph.value_info, *graph.output)
    return {port.name: _bytes_of(port.type.tensor_type) for port in ports}


def _bytes_of(tensor: Any) -> int | None:
    if not tensor.HasField("shape"):
        return None
    sizes = [size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim]
    known = [size for size in sizes if size is not None]
    total = math.prod(max(size, 0) for size in known) * WIDTHS.get(tensor.elem_type, 1)
    return None if len(known) < len(sizes) else total


def _peak(
    graph: Any, weights: int, constant: set[str], taken: Mapping[str, int | None], most_bytes: int
) -> int:
    """Walks the nodes in order; what depends on constants alone is computed at load and stays."""
    last_use = {name: index for index, node in enumerate(graph.node) for name in node.input}
    held, live = weights, 0
    alive = dict[str, int]()
    peak = weights
    for index, node in enumerate(graph.node):
        is_constant = all(name in constant for name in node.input if name)
        for name in filter(None, node.output):
            size = taken.get(name)
            where = f"node {node.name or name!r} ({node.op_type})"
            if size is None and is_constant and node.op_type in _GROWING:
                raise ModelRefusedError(
                    f"{where} makes a constant whose size cannot be known before it is run"
                )
            _refuse_over(size or 0, f"{where} gives {name!r} of", most_bytes)
            if is_constant:
                constant.add(name)
                held += size or 0
            else:
                alive[name] = size or 0
                live += alive[name]
        peak = max(peak, held + live)
        for name in node.input:
            if last_use[name] == index:
                live -= alive.pop(name, 0)
    _refuse_over(peak, "weights, constants and intermediate tensors together take", most_bytes)
    return peak


def _refuse_over(size: int, what: str, most_bytes: int) -> None:
    if size > most_bytes:
        raise ModelRefusedError(f"{what} {size} bytes; at most {most_bytes} are taken")
