"""Models that are small to send and large to load or to run: memory, CPU time, shapes, and sheer length."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from onnx import ModelProto, TensorProto, helper

from support.hostile import COLUMNS, Hostile, good, hostile, model

REFUSED: Final[list[Hostile]] = []
"""Refused by the checks."""

BY_LIMITS: Final[list[Hostile]] = []
"""No shape tells of these: the limits of the process end them. `says` is a pattern of the death's sentence."""

_MIB: Final = 1 << 18  # floats


def _numbers(name: str, *values: int) -> TensorProto:
    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)


def _sum_of(nodes: list[Any], *initializers: Any) -> bytes:
    """The model whose y is the sum over the tensor "big", so that nobody can leave it out."""
    end = [
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    return bytes(model([*nodes, *end], *initializers).SerializeToString())


@hostile("constants and intermediate tensors together take", REFUSED)
def _load_bomb(_: Path) -> bytes:
    names = [f"c{number}" for number in range(12)]
    nodes = [helper.make_node("ConstantOfShape", ["size"], [name]) for name in names]
    return _sum_of([*nodes, helper.make_node("Sum", names, ["big"])], _numbers("size", 900 * _MIB))


@hostile("of 34359738368 bytes", REFUSED)
def _run_bomb(_: Path) -> bytes:
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["row"]),
        helper.make_node("Expand", ["row", "size"], ["big"]),
    ]
    return _sum_of(nodes, _numbers("flat", 1, COLUMNS), _numbers("size", 2 << 30, COLUMNS))


@hostile("'big' of 17179869184 bytes", REFUSED)
def _tile_bomb(_: Path) -> bytes:
    return _sum_of([helper.make_node("Tile", ["x", "repeats"], ["big"])], _numbers("repeats", 1 << 30, 1))


@hostile("'big' of 68719476752 bytes", REFUSED)
def _pad_bomb(_: Path) -> bytes:
    return _sum_of([helper.make_node("Pad", ["x", "pads"], ["big"])], _numbers("pads", 1 << 32, 0, 0, 0))


@hostile("'big' of 17179869184 bytes", REFUSED)
def _resize_bomb(_: Path) -> bytes:
    nodes = [helper.make_node("Resize", ["x", "", "", "sizes"], ["big"], mode="nearest")]
    return _sum_of(nodes, _numbers("sizes", 1 << 30, COLUMNS))


@hostile("'long' of 137438953472 bytes", REFUSED)
def _range_bomb(_: Path) -> bytes:
    ends = [
        helper.make_tensor(name, TensorProto.INT64, [], [value])
        for name, value in (("start", 0), ("end", 1 << 34), ("step", 1))
    ]
    nodes = [
        helper.make_node("Range", ["start", "end", "step"], ["long"]),
        helper.make_node("Cast", ["long"], ["big"], to=TensorProto.FLOAT),
    ]
    return _sum_of(nodes, *ends)


@hostile("'d26' of 4294967296 bytes", REFUSED)
def _doubling(_: Path) -> bytes:
    # onnx's inference of values would double a list of numbers forty times before any shape is looked at.
    names = ["sizes", *(f"d{number}" for number in range(40))]
    nodes = [helper.make_node("Concat", [taken] * 2, [given], axis=0) for taken, given in pairwise(names)]
    return _sum_of(
        [*nodes, helper.make_node("Cast", [names[-1]], ["big"], to=TensorProto.FLOAT)],
        _numbers("sizes", 1, 1, 1, 1),
    )


@hostile("cannot be known", REFUSED)
def _constant_of_a_computed_shape(_: Path) -> bytes:
    nodes = [
        helper.make_node("Exp", ["exponent"], ["float"]),
        helper.make_node("Cast", ["float"], ["size"], to=TensorProto.INT64),
        helper.make_node("ConstantOfShape", ["size"], ["big"]),
    ]
    return _sum_of(nodes, helper.make_tensor("exponent", TensorProto.FLOAT, [1], [23.0]))


@hostile("bytes; at most 2147483648 are taken", REFUSED)
def _outer_product(_: Path) -> bytes:
    nodes = [
        helper.make_node("Expand", ["x", "tall"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["columns"], perm=[1, 0]),
        helper.make_node("MatMul", ["rows", "columns"], ["big"]),
    ]
    return _sum_of(nodes, _numbers("tall", 100_000, COLUMNS))


@hostile("together take", REFUSED)
def _many_at_once(_: Path) -> bytes:
    names = [f"e{number}" for number in range(8)]
    nodes = [helper.make_node("Expand", ["x", "size"], [name]) for name in names]
    return _sum_of([*nodes, helper.make_node("Sum", names, ["big"])], _numbers("size", 90 * _MIB, COLUMNS))


@hostile("a dimension of 17592186044416", REFUSED)
def _input_without_end(_: Path) -> bytes:
    return _shaped(1 << 44)


@hostile("a dimension of -5", REFUSED)
def _input_below_zero(_: Path) -> bytes:
    return _shaped(-5)


@hostile("bytes; at most|do not fit together", REFUSED)
def _input_beyond_all_integers(_: Path) -> bytes:
    return _shaped(*[(1 << 31) - 1] * 3)


@hostile("100 dimensions", REFUSED)
def _input_of_many_dimensions(_: Path) -> bytes:
    return _shaped(*[1] * 100)


@hostile("a dimension of 4611686018427387904", REFUSED)
def _weights_beyond_all_integers(_: Path) -> bytes:
    made = good()
    made.graph.initializer[0].dims[:] = [1 << 62, 4]
    return bytes(made.SerializeToString())


@hostile("100001 nodes", REFUSED)
def _many_nodes(_: Path) -> bytes:
    made = good()
    made.graph.node.extend([made.graph.node[0]] * 100_000)
    return bytes(made.SerializeToString())


@hostile("10000 nodes", REFUSED)
def _deep(_: Path) -> bytes:
    names = ["x", *(f"t{number}" for number in range(9_999)), "y"]
    nodes = [helper.make_node("Neg", [taken], [given]) for taken, given in pairwise(names)]
    return bytes(model(nodes).SerializeToString())


@hostile(r"\('Loop'\) is an operator", REFUSED)
def _loop_in_a_loop(_: Path) -> bytes:
    inner = _loop("outer", "inner", "next", helper.make_node("Neg", ["inner"], ["negative"]))
    return bytes(_looping(_loop("x", "outer", "y", inner)).SerializeToString())


@hostile("OutOfMemory: .*more memory", BY_LIMITS)
def _run_bomb_of_a_computed_shape(_: Path) -> bytes:
    nodes = [
        helper.make_node("Exp", ["x"], ["ones"]),
        helper.make_node("Mul", ["ones", "many"], ["float"]),
        helper.make_node("Cast", ["float"], ["sizes"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["sizes", "flat"], ["size"]),
        helper.make_node("Expand", ["one", "size"], ["big"]),
    ]
    many = helper.make_tensor("many", TensorProto.FLOAT, [COLUMNS], [1 << 34, 1, 1, 1])
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    return _sum_of(nodes, many, one, _numbers("flat", COLUMNS))


@hostile("LoadTooLong: .*CPU time while running", BY_LIMITS)
def _products_without_a_loop(_: Path) -> bytes:
    return _products("x")


@hostile("LoadTooLong: .*CPU time while loading", BY_LIMITS)
def _products_of_constants(_: Path) -> bytes:
    return _products("one")


def _products(seed: str) -> bytes:
    names = ["square", *(f"p{number}" for number in range(110)), "big"]
    nodes = [helper.make_node("MatMul", [taken, taken], [given]) for taken, given in pairwise(names)]
    start = helper.make_node("Resize", [seed, "", "", "sizes"], ["square"], mode="nearest")
    one = helper.make_tensor("one", TensorProto.FLOAT, [1, COLUMNS], [0.5] * COLUMNS)
    return _sum_of([start, *nodes], _numbers("sizes", 2048, 2048), one)


def _shaped(*sizes: int) -> bytes:
    made = good()
    shape = made.graph.input[0].type.tensor_type.shape
    shape.ClearField("dim")
    for size in sizes:
        shape.dim.add(dim_value=size)
    return bytes(made.SerializeToString())


def _looping(loop: Any) -> ModelProto:
    times = helper.make_tensor("times", TensorProto.INT64, [], [1 << 40])
    return model([loop], times, helper.make_tensor("yes", TensorProto.BOOL, [], [True]))


def _loop(taken: str, carried: str, given: str, inner: Any) -> Any:
    """A node that has *inner* compute the tensor *carried*, which begins as *taken*, a trillion times."""
    value = helper.make_tensor_value_info
    count, before, after = (f"{part}_{given}" for part in ("count", "before", "after"))
    ports = [
        value(count, TensorProto.INT64, []),
        value(before, TensorProto.BOOL, []),
        value(carried, TensorProto.FLOAT, None),
    ]
    outputs = [value(after, TensorProto.BOOL, []), value(inner.output[0], TensorProto.FLOAT, None)]
    body = helper.make_graph([helper.make_node("Identity", [before], [after]), inner], "body", ports, outputs)
    return helper.make_node("Loop", ["times", "yes", taken], [given], body=body)
