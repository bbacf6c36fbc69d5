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
_NUMBERS: Final = "biuf"  # kinds of NumPy's types


def compute(node: Any, given: Sequence[Value | None]) -> Value | None:
    """The value of the node's output; None when it is not one that shapes are made with, or makes no sense.

    *given* has the node's inputs in their places; None stands for one that is left out.
    """
    rule = _RULES.get(node.op_type)
    if rule is None:
        return None
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(rule(attributes, *given))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
    return value if value.dtype.kind in _NUMBERS else None


def _axes(attributes: _Attributes, axes: Value | None) -> tuple[int, ...] | None:
    """Axes are an input, or an attribute before opset 13."""
    found = attributes.get("axes") if axes is None else axes.tolist()
    return None if found is None else tuple(found)


def _slice(
    _: _Attributes,
    value: Value,
    starts: Value,
    ends: Value,
    axes: Value | None = None,
    steps: Value | None = None,
) -> Value:
    sliced = range(starts.size) if axes is None else axes.tolist()
    strides = [1] * starts.size if steps is None else steps.tolist()
    where = [slice(None)] * value.ndim
    for axis, start, end, stride in zip(sliced, starts.tolist(), ends.tolist(), strides, strict=True):
        where[axis] = slice(start, end, stride)
    return value[tuple(where)]


def _divide(_: _Attributes, a: Value, b: Value) -> Value:
    """Quotients of integers go towards zero, as in ONNX and C; NumPy's go down."""
    quotient: Value = (a - np.fmod(a, b)) // b if a.dtype.kind in "iu" else a / b
    return quotient


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
    "Div": _divide,
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
    "Squeeze": lambda attributes, a, axes=None: np.squeeze(a, _axes(attributes, axes)),
    "Sub": lambda _, a, b: a - b,
    "Unsqueeze": lambda attributes, a, axes=None: np.expand_dims(a, _axes(attributes, axes) or ()),
    "Where": lambda _, condition, a, b: np.where(condition, a, b),
}
