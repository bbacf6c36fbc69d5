"""How much memory a graph takes by its shapes, before anything of it is loaded.

A size that only a run decides counts as 1: there the limit of the process holds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from parkade_models.checks.shapes import Shapes
from parkade_models.checks.tensors import WIDTHS
from parkade_models.errors import ModelRefusedError

_GROWING: Final = frozenset(
    ("ConstantOfShape", "Expand", "EyeLike", "OneHot", "Pad", "Range", "Resize", "Tile", "Upsample")
)


def check_memory(model: Any, sizes: Mapping[str, Sequence[int]], most_bytes: int) -> int:
    """The bytes that weights, constants and the tensors alive at one time take.

    *sizes* are shapes of inputs that the model leaves open. Refuses what takes more than *most_bytes*.
    """
    graph, shapes = model.graph, Shapes(model, sizes)
    held: int = sum(math.prod(tensor.dims) * WIDTHS[tensor.data_type] for tensor in graph.initializer)
    _refuse_over(held, "the weights take", most_bytes)
    constant = {tensor.name for tensor in graph.initializer}
    last_use = {name: index for index, node in enumerate(graph.node) for name in node.input}
    alive = dict[str, int]()
    live, peak = 0, held
    for index, node in enumerate(graph.node):
        shapes.follow(node)
        given = _given_bytes(node, shapes, most_bytes)
        if constant.issuperset(filter(None, node.input)):
            # What depends on constants alone is computed at load and stays.
            _check_constant(node, shapes)
            constant.update(given)
            held += sum(given.values())
        else:
            alive |= given
            live += sum(given.values())
        peak = max(peak, held + live)
        live -= sum(alive.pop(name, 0) for name in node.input if last_use[name] == index)
    _refuse_over(peak, "weights, constants and intermediate tensors together take", most_bytes)
    return peak


def _given_bytes(node: Any, shapes: Shapes, most_bytes: int) -> dict[str, int]:
    given = {name: shapes.bytes_of(name) for name in node.output if name}
    for name, size in given.items():
        _refuse_over(size, f"{_place(node)} gives {name!r} of", most_bytes)
    return given


def _check_constant(node: Any, shapes: Shapes) -> None:
    if node.op_type in _GROWING and not shapes.is_known(node.output[0]):
        raise ModelRefusedError(
            f"{_place(node)} makes a constant whose size cannot be known before it is run"
        )


def _place(node: Any) -> str:
    return f"node {node.name or node.output[0]!r} ({node.op_type})"


def _refuse_over(size: int, what: str, most_bytes: int) -> None:
    if size > most_bytes:
        raise ModelRefusedError(f"{what} {size} bytes; at most {most_bytes} are taken")
