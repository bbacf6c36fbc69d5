"""The form of a model: versions, counts, names, operators, attributes, and who computes what from what."""

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import onnx.defs
from onnx import AttributeProto, TensorProto

from parkade_models.checks.operators import ONNX, OPERATORS
from parkade_models.checks.tensors import WIDTHS, check_shape, check_tensor
from parkade_models.errors import ModelRefusedError

IR_VERSIONS: Final = range(3, 14)
OPSETS: Final = range(7, 27)
MOST_NODES: Final = 8192
MOST_TENSORS: Final = 16384
MOST_PORTS: Final = 64  # inputs and outputs of the graph, each
MOST_VALUES: Final = 1 << 16  # numbers in one attribute
LONGEST_NAME: Final = 1024
MOST_TEXT_BYTES: Final = 1 << 20  # of metadata and documentation, together

_PLAIN: Final = {
    AttributeProto.FLOAT: (),
    AttributeProto.INT: (),
    AttributeProto.STRING: ("s",),
    AttributeProto.TENSOR: (),
    AttributeProto.FLOATS: ("floats",),
    AttributeProto.INTS: ("ints",),
    AttributeProto.STRINGS: ("strings",),
}
"""Kinds of attributes that are taken, and their fields whose length is bounded."""


def check_structure(model: Any) -> None:
    """Refuses an onnx.ModelProto that is more than one plain graph of known operators."""
    _check_header(model)
    graph = model.graph
    _check_counts(graph)
    for port in (
        *graph.input,
        *graph.output,
        *(value for value in graph.value_info if value.HasField("type")),
    ):
        _check_port(port)
    for tensor in graph.initializer:
        check_tensor(tensor, f"initializer {_shown(tensor.name)}")
    opset = next(entry.version for entry in model.opset_import if entry.domain == ONNX)
    for node in graph.node:
        _check_node(node, opset)
    _check_flow(graph)


def _check_header(model: Any) -> None:
    if model.ir_version not in IR_VERSIONS:
        raise ModelRefusedError(f"the file has IR version {model.ir_version}; {_span(IR_VERSIONS)} are taken")
    opsets = [entry.version for entry in model.opset_import if entry.domain == ONNX]
    if len(opsets) != 1 or opsets[0] not in OPSETS:
        raise ModelRefusedError(f"the file asks for opsets {opsets}; one of {_span(OPSETS)} is taken")
    for part in ("functions", "training_info"):
        if len(getattr(model, part)):
            raise ModelRefusedError(f"the file has {part} of its own; only a graph is taken")
    texts = (model.doc_string, model.graph.doc_string, *_texts(model.metadata_props))
    if (size := sum(map(len, texts))) > MOST_TEXT_BYTES:
        raise ModelRefusedError(
            f"metadata and documentation have {size} characters; {MOST_TEXT_BYTES} are taken"
        )


def _texts(properties: Iterable[Any]) -> Iterable[str]:
    for entry in properties:
        yield from (entry.key, entry.value)


def _check_counts(graph: Any) -> None:
    counts = (
        ("nodes", len(graph.node), MOST_NODES),
        ("initializers", len(graph.initializer), MOST_TENSORS),
        ("value_info", len(graph.value_info), MOST_TENSORS),
        ("inputs", len(graph.input), MOST_PORTS + len(graph.initializer)),
        ("outputs", len(graph.output), MOST_PORTS),
        ("sparse initializers", len(graph.sparse_initializer), 0),
    )
    for name, count, most in counts:
        if count > most:
            raise ModelRefusedError(f"the graph has {count} {name}; at most {most} are taken")
    if not graph.node or not graph.output:
        raise ModelRefusedError("the graph has no nodes or no outputs")


def _check_port(port: Any) -> None:
    where = f"tensor {_shown(port.name)}"
    if port.type.WhichOneof("value") != "tensor_type":
        raise ModelRefusedError(f"{where} is {port.type.WhichOneof('value')}; plain tensors are taken")
    tensor = port.type.tensor_type
    if tensor.elem_type not in WIDTHS and tensor.elem_type != TensorProto.STRING:
        raise ModelRefusedError(f"{where} has data type {tensor.elem_type}; numbers and strings are taken")
    # Some exporters write -1 for a size that only a run decides.
    check_shape([0 if size.dim_value == -1 else size.dim_value for size in tensor.shape.dim], where)


def _check_node(node: Any, opset: int) -> None:
    where = _place(node)
    if node.op_type not in OPERATORS.get(node.domain, ()):
        domain = f" of domain {_shown(node.domain)}" if node.domain else ""
        raise ModelRefusedError(f"{where} is an operator{domain} that vehicles do not run")
    if node.overload:
        raise ModelRefusedError(f"{where} names the overload {_shown(node.overload)}; there are none")
    schema = _attributes(node.op_type, opset) if node.domain == ONNX else None
    if schema is None and node.domain == ONNX:
        raise ModelRefusedError(f"{where} is not an operator of opset {opset}")
    names = [attribute.name for attribute in node.attribute]
    if len(set(names)) < len(names):
        raise ModelRefusedError(f"{where} has an attribute twice")
    for attribute in node.attribute:
        _check_attribute(attribute, schema, where)


@cache
def _attributes(operator: str, opset: int) -> dict[str, int] | None:
    """The attributes of an ONNX operator and their kinds; None when the opset has no such operator."""
    if not onnx.defs.has(operator, opset, ONNX):
        return None
    attributes: Any = onnx.defs.get_schema(operator, opset, ONNX).attributes
    return {name: attribute.type.value for name, attribute in attributes.items()}


def _check_attribute(attribute: Any, schema: dict[str, int] | None, where: str) -> None:
    named = f"attribute {_shown(attribute.name)} of {where}"
    if attribute.type not in _PLAIN or attribute.ref_attr_name:
        raise ModelRefusedError(f"{named} is no number, text or tensor; graphs within nodes are not run")
    if schema is not None and schema.get(attribute.name) != attribute.type:
        raise ModelRefusedError(f"{named} is not one that the operator has, or is of another kind")
    for field in _PLAIN[attribute.type]:
        if (count := len(getattr(attribute, field))) > MOST_VALUES:
            raise ModelRefusedError(f"{named} has {count} values; at most {MOST_VALUES} are taken")
    if attribute.type == AttributeProto.TENSOR:
        check_tensor(attribute.t, named)


def _check_flow(graph: Any) -> None:
    """Every tensor is made once, before it is used: no cycles, nothing dangling, no name twice."""
    weights = _once([tensor.name for tensor in graph.initializer])
    known = weights | _once([port.name for port in graph.input])
    for node in graph.node:
        for name in node.input:
            if name and name not in known:
                raise ModelRefusedError(f"{_place(node)} takes {_shown(name)}, which nothing before it gives")
        for name in filter(None, node.output):
            _check_name(name)
            if name in known:
                raise ModelRefusedError(f"{_place(node)} gives {_shown(name)}, which was given before")
            known.add(name)
    for port in graph.output:
        if port.name not in known:
            raise ModelRefusedError(f"nothing gives the output {_shown(port.name)}")


def _once(names: list[str]) -> set[str]:
    for name in names:
        _check_name(name)
    if len(unique := set(names)) < len(names):
        raise ModelRefusedError("two inputs or two initializers have one name")
    return unique


def _check_name(name: str | bytes) -> None:
    if isinstance(name, bytes):
        raise ModelRefusedError(f"the tensor's name {name[:60]!r} is not UTF-8")
    if not 0 < len(name) <= LONGEST_NAME:
        raise ModelRefusedError(f"a tensor's name has {len(name)} characters; 1 to {LONGEST_NAME} are taken")


def _place(node: Any) -> str:
    return f"node {_shown(node.name or next(iter(node.output), ''))} ({_shown(node.op_type)})"


def _shown(name: str, most: int = 60) -> str:
    return repr(name if len(name) <= most else f"{name[:most]}...")


def _span(versions: range) -> str:
    return f"{versions.start} to {versions.stop - 1}"
