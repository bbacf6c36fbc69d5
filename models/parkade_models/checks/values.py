"""Small tensors that become shapes, computed as the graph would compute them.

onnx can follow such values through a graph too, but it holds a list for each one-dimensional tensor on the way, however
long that is: a file of 200 bytes has it ask for gigabytes. Here nothing is computed before its size is known.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Value = NDArray[Any]
_Attributes = Mapping[str, Any]


def compute(node: Any, given: Sequence[Value]) -> Value | None:
    """The value of the node's output; None when it is not one that shapes are made with, or makes no sense."""
    rule = _RULES.get(node.op_type)
    if rule is None:
        return None
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    try:
        with np.errstate(all="ignore"):
            return np.asarray(rule(attributes, *given))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None


def _axes(attributes: _Attributes, given: tuple[Value, ...]) -> tuple[int, ...] | None:
    """Axes are an input, or an attribute before opset 13."""
    axes = given[0].tolist() if given else attributes.get("axes")
    return None if axes is None else tuple(axes)


def _slice(_: _Attributes, value: Value, starts: Value, ends: Value, *more: Value) -> Value:
    axes = more[0].tolist() if more else range(starts.size)
    steps = more[1].tolist() if len(more) > 1 else [1] * starts.size
    where = [slice(None)] * value.ndim
    for axis, start, end, step in zip(axes, starts.tolist(), ends.tolist(), steps, strict=True):
        where[axis] = slice(start, end, step)
    return value[tuple(where)]


def _reshape(_: _Attributes, value: Value, shape: Value) -> Value:
    sizes = [value.shape[at] if size == 0 else size for at, size in enumerate(shape.tolist())]
    return value.reshape(sizes)


def _expand(_: _Attributes, value: Value, shape: Value) -> Value:
    return np.broadcast_to(value, np.broadcast_shapes(value.shape, tuple(shape.tolist())))


def _constant_of_shape(attributes: _Attributes, shape: Value) -> Value:
    fill = numpy_helper.to_array(attributes["value"]) if "value" in attributes else np.zeros(1, np.float32)
    return np.full(shape.tolist(), fill[0], fill.dtype)


def _constant(attributes: _Attributes) -> Value:
    value = attributes.get("value")
    return numpy_helper.to_array(value) if value is not None else np.array(next(iter(attributes.values())))


_RULES: Final[Mapping[str, Callable[..., Any]]] = {
    "Add": lambda _, a, b: a + b,
    "Cast": lambda attributes, a: a.astype(helper.tensor_dtype_to_np_dtype(attributes["to"])),
    "Concat": lambda attributes, *given: np.concatenate(given, attributes["axis"]),
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Div": lambda _, a, b: a // b if a.dtype.kind in "iu" else a / b,
    "Equal": lambda _, a, b: a == b,
    "Expand": _expand,
    "Gather": lambda attributes, a, at: np.take(a, at, attributes.get("axis", 0)),
    "Identity": lambda _, a: a,
    "Max": lambda _, *given: reduce(np.maximum, given),
    "Min": lambda _, *given: reduce(np.minimum, given),
    "Mul": lambda _, a, b: a * b,
    "Range": lambda _, *given: np.arange(*(each.item() for each in given), dtype=given[0].dtype),
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": lambda attributes, a, *axes: np.squeeze(a, _axes(attributes, axes)),
    "Sub": lambda _, a, b: a - b,
    "Unsqueeze": lambda attributes, a, *axes: np.expand_dims(a, _axes(attributes, axes) or ()),
    "Where": lambda _, condition, a, b: np.where(condition, a, b),
}
