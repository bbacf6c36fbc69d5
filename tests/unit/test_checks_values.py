"""Shapes that a graph computes are followed to the tensors that they make."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from parkade_models.checks.shapes import Shapes
from support.hostile import model


def _numbers(name: str, values: Any, kind: Any = np.int64) -> TensorProto:
    return numpy_helper.from_array(np.array(values, kind), name)


_node = helper.make_node


@pytest.mark.parametrize(
    ("nodes", "elements"),
    [
        ([_node("Shape", ["x"], ["s"])], 1 * 4),
        ([_node("Constant", [], ["s"], value=_numbers("", [3, 5]))], 15),
        ([_node("Constant", [], ["s"], value_ints=[3, 5])], 15),
        ([_node("Shape", ["x"], ["a"]), _node("Mul", ["a", "two"], ["s"])], 2 * 8),
        ([_node("Shape", ["x"], ["a"]), _node("Add", ["a", "two"], ["s"])], 3 * 6),
        ([_node("Shape", ["x"], ["a"]), _node("Sub", ["a", "one"], ["s"])], 0),
        (
            [
                _node("Shape", ["x"], ["a"]),
                _node("Div", ["a", "two"], ["b"]),
                _node("Max", ["b", "one"], ["s"]),
            ],
            2,
        ),
        ([_node("Shape", ["x"], ["a"]), _node("Min", ["a", "two"], ["s"])], 2),
        ([_node("Shape", ["x"], ["a"]), _node("Slice", ["a", "one", "two"], ["s"])], 4),
        ([_node("Slice", ["three", "two", "under", "", "minus"], ["s"])], 4 * 3 * 2),
        ([_node("Slice", ["three", "zero", "two", "", "two"], ["s"])], 2),
        ([_node("Squeeze", ["column", ""], ["s"])], 3 * 5),
        ([_node("Div", ["minus", "two"], ["a"]), _node("Add", ["a", "two"], ["s"])], 2),
        ([_node("Shape", ["x"], ["a"]), _node("Gather", ["a", "one"], ["s"])], 4),
        ([_node("Concat", ["one", "two"], ["s"], axis=0)], 2),
        ([_node("Range", ["first", "last", "first"], ["s"])], 1 * 2 * 3),
        ([_node("ConstantOfShape", ["two"], ["s"], value=_numbers("", [7]))], 49),
        (
            [
                _node("Shape", ["x"], ["a"]),
                _node("Equal", ["a", "one"], ["b"]),
                _node("Where", ["b", "two", "a"], ["s"]),
            ],
            8,
        ),
        ([_node("Unsqueeze", ["two", "zero"], ["a"]), _node("Squeeze", ["a", "zero"], ["s"])], 2),
        ([_node("Expand", ["two", "two"], ["a"]), _node("Reshape", ["a", "two"], ["s"])], 4),
        ([_node("Cast", ["half"], ["s"], to=TensorProto.INT64)], 6),
        ([_node("Identity", ["two"], ["s"])], 2),
    ],
    ids=lambda nodes: nodes[-1].op_type if isinstance(nodes, list) else "",
)
def test_a_computed_shape_is_known(nodes: list[Any], elements: int) -> None:
    """The tensor of ones that is made of it has that many bytes, whatever computed the shape."""
    constants = [_numbers("zero", [0]), _numbers("one", [1]), _numbers("two", [2])]
    constants += [_numbers("three", [2, 3, 4]), _numbers("column", [[3], [5]])]
    constants += [_numbers("minus", [-1]), _numbers("under", [-10])]
    scalars = [_numbers("first", 1), _numbers("last", 4), _numbers("half", [6.5], np.float32)]
    last = _node("ConstantOfShape", ["s"], ["y"], value=numpy_helper.from_array(np.ones(1, np.uint8)))
    made = model([*nodes, last], *constants, *scalars)
    shapes = Shapes(made, {})
    for node in made.graph.node:
        shapes.follow(node)
    assert shapes.is_known("y")
    assert shapes.bytes_of("y") == elements


@pytest.mark.parametrize(
    "nodes",
    [
        [_node("Cast", ["x"], ["a"], to=TensorProto.INT64), _node("Reshape", ["a", "flat"], ["s"])],
        [_node("Exp", ["half"], ["a"]), _node("Cast", ["a"], ["s"], to=TensorProto.INT64)],
        [_node("Concat", ["many", "many"], ["a"], axis=0), _node("Slice", ["a", "zero", "one"], ["s"])],
        [_node("Gather", ["one", "seven"], ["s"])],
    ],
    ids=["input", "unknown operator", "too long", "no sense"],
)
def test_what_is_not_known_is_not_guessed(nodes: list[Any]) -> None:
    """A value that depends on a record, that no shape is made with, or that makes no sense, leaves the size open."""
    constants = [_numbers("zero", [0]), _numbers("one", [1]), _numbers("many", range(1000))]
    constants += [_numbers("seven", [7]), _numbers("flat", [-1])]
    last = _node("ConstantOfShape", ["s"], ["y"])
    made = model([*nodes, last], *constants, _numbers("half", [0.5], np.float32))
    shapes = Shapes(made, {})
    for node in made.graph.node:
        shapes.follow(node)
    assert not shapes.is_known("y")
