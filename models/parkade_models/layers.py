"""What of a graph matters to a quantizer: its products with constant weights, and which of them come last."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

WEIGHTED: Final = frozenset({"Attention", "Conv", "ConvTranspose", "Gemm", "LSTM", "MatMul"})
_FLOATS: Final = (1, 10, 11, 16)  # FLOAT, FLOAT16, DOUBLE and BFLOAT16 of onnx.TensorProto


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of a folded graph whose nodes have names."""

    products: Mapping[str, int]
    """How many nodes of each operator multiply by constant weights."""

    depthwise: frozenset[str]
    """Names of the convolutions with one input channel a group."""

    tables: frozenset[str]
    """Names of the Gather nodes that look up rows of a constant float table."""

    head: frozenset[str]
    """Names of the products after which no other comes on the way to an output."""

    head_and_after: frozenset[str]
    """Names of the head and of everything that only follows it."""

    @classmethod
    def of(cls, model: Any) -> "Layers":
        """The layers of an onnx.ModelProto."""
        nodes = list(model.graph.node)
        shapes = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
        floats = {weight.name for weight in model.graph.initializer if weight.data_type in _FLOATS}
        weighted = [
            node for node in nodes if node.op_type in WEIGHTED and floats.intersection(node.input[1:])
        ]
        before = _with_product_after(nodes, {node.name for node in weighted})
        return cls(
            products=Counter(node.op_type for node in weighted),
            depthwise=frozenset(node.name for node in weighted if _is_depthwise(node, shapes)),
            tables=frozenset(n.name for n in nodes if n.op_type == "Gather" and n.input[0] in floats),
            head=frozenset(node.name for node in weighted if node.name not in before),
            head_and_after=frozenset(node.name for node in nodes if node.name not in before),
        )


def _is_depthwise(node: Any, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    shape = shapes.get(node.input[1], ())
    return node.op_type == "Conv" and groups > 1 and len(shape) > 1 and shape[1] == 1


def _with_product_after(nodes: Iterable[Any], weighted: set[str]) -> set[str]:
    """Names of the nodes from which a product can still be reached; *nodes* are in topological order."""
    wanted: set[str] = set()  # tensors that lead to a product
    found: set[str] = set()
    for node in reversed(list(nodes)):
        leads = not wanted.isdisjoint(node.output)
        if leads:
            found.add(node.name)
        if leads or node.name in weighted:
            wanted.update(node.input)
    return found
