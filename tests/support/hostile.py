"""Models that mean harm, or are broken: each a name, what its refusal says, and its bytes.

A case may name the canary, a file in a folder of its own that no model may make anybody open. What onnx's helpers
refuse to write is put into the message behind their back. `hostile_files` and `hostile_bombs` have more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

CANARY: Final = "canary.bin"
COLUMNS: Final = 4  # of x, the only input
OUTSIDE: Final = {
    "parent": f"../{CANARY}",
    "symlink": "link.bin",
    "hardlink": "hard.bin",
    "fifo": "fifo.bin",
    "zeros": "/dev/zero",
    "stdin": "/dev/stdin",
    "address": "*/_ORT_MEM_ADDR_/*",
}
"""Where weights may say that they lie; the links are made by the test."""


@dataclass(frozen=True)
class Hostile:
    """One hostile model, made for the folder that holds the canary; `says` is a pattern of its refusal."""

    name: str
    says: str
    make: Callable[[Path], bytes]


STRUCTURES: Final[list[Hostile]] = []
"""Refused for what they are made of."""


def broken(says: str) -> Callable[[Callable[[ModelProto], object]], None]:
    """Notes a case that spoils the good model."""

    def note(spoil: Callable[[ModelProto], object]) -> None:
        def make(_: Path) -> bytes:
            made = good()
            spoil(made)
            return bytes(made.SerializeToString())

        STRUCTURES.append(Hostile(_name(spoil), says, make))

    return note


def hostile(says: str, into: list[Hostile] = STRUCTURES) -> Callable[[Callable[[Path], bytes]], None]:
    """Notes a case that makes bytes of its own."""

    def note(make: Callable[[Path], bytes]) -> None:
        into.append(Hostile(_name(make), says, make))

    return note


def _name(case: Callable[..., object]) -> str:
    return case.__name__.strip("_").replace("_", "-")


def model(nodes: list[Any], *initializers: Any, shape: list[int | str] | None = None) -> ModelProto:
    """A model from x, one row of floats, to y."""
    value = helper.make_tensor_value_info
    ports = [value("x", TensorProto.FLOAT, [1, COLUMNS])], [value("y", TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, "graph", *ports, list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def good() -> ModelProto:
    """The model that must work beside all the others: y = x + w."""
    return model([helper.make_node("Add", ["x", "w"], ["y"], name="add")], weights())


def weights() -> TensorProto:
    """The good model's weights."""
    return numpy_helper.from_array(np.arange(COLUMNS, dtype=np.float32), "w")


def outside(location: str) -> TensorProto:
    """Weights that say they lie at *location*."""
    tensor = weights()
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def _add(constant: TensorProto) -> ModelProto:
    return model(
        [helper.make_node("Constant", [], ["w"], value=constant), helper.make_node("Add", ["x", "w"], ["y"])]
    )


def _branching(constant: TensorProto) -> ModelProto:
    port = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["z"], value=constant)], "branch", [], [port]
    )
    yes = helper.make_node(
        "Constant", [], ["yes"], value=helper.make_tensor("t", TensorProto.BOOL, [], [True])
    )
    return model([yes, helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)])


def _at(location: str) -> Callable[[Path], bytes]:
    return lambda _: bytes(_add(outside(location)).SerializeToString())


STRUCTURES += [
    Hostile(f"outside-{name}", "in another file", _at(location)) for name, location in OUTSIDE.items()
]


@hostile("in another file")
def _outside_absolute(folder: Path) -> bytes:
    made = good()
    made.graph.initializer[0].CopyFrom(outside(str(folder / CANARY)))
    return bytes(made.SerializeToString())


@hostile(r"\('If'\) is an operator")
def _outside_branch(folder: Path) -> bytes:
    return bytes(_branching(outside(str(folder / CANARY))).SerializeToString())


@hostile("1 sparse initializers")
def _outside_sparse(folder: Path) -> bytes:
    made = good()
    indices = helper.make_tensor("i", TensorProto.INT64, [COLUMNS], range(COLUMNS))
    sparse = helper.make_sparse_tensor(outside(str(folder / CANARY)), indices, [1 << 44])
    made.graph.sparse_initializer.append(sparse)
    return bytes(made.SerializeToString())


@hostile("functions of its own")
def _outside_function(folder: Path) -> bytes:
    made = model([helper.make_node("Mine", ["x"], ["y"], domain="mine")])
    constant = helper.make_node("Constant", [], ["b"], value=outside(str(folder / CANARY)))
    body = [constant, helper.make_node("Add", ["a", "b"], ["c"])]
    opset = helper.make_opsetid("", 17)
    made.functions.append(helper.make_function("mine", "Mine", ["a"], ["c"], body, [opset]))
    made.opset_import.append(helper.make_opsetid("mine", 1))
    return bytes(made.SerializeToString())


@broken("data type 8")
def _weights_of_text(made: ModelProto) -> None:
    made.graph.initializer[0].CopyFrom(
        helper.make_tensor("w", TensorProto.STRING, [COLUMNS], [b"a"] * COLUMNS)
    )


@broken("data type 99")
def _weights_of_no_type(made: ModelProto) -> None:
    made.graph.initializer[0].data_type = 99


@broken("16 bytes; its shape asks for 4294967296")
def _weights_too_short(made: ModelProto) -> None:
    made.graph.initializer[0].dims[0] = 1 << 30


@broken("raw data and float_data too")
def _weights_twice(made: ModelProto) -> None:
    made.graph.initializer[0].float_data.append(1.0)


@broken("one segment")
def _weights_in_segments(made: ModelProto) -> None:
    made.graph.initializer[0].segment.end = COLUMNS


@broken("one name")
def _weights_of_one_name(made: ModelProto) -> None:
    made.graph.initializer.append(weights())


@broken("not one that the operator has")
def _attribute_unknown(made: ModelProto) -> None:
    made.graph.node[0].attribute.append(helper.make_attribute("__class__", "os.system"))


@broken("of another kind")
def _attribute_of_another_kind(made: ModelProto) -> None:
    made.graph.node[0].CopyFrom(helper.make_node("Softmax", ["x"], ["y"], axis="last"))


@broken("an attribute twice")
def _attribute_twice(made: ModelProto) -> None:
    node = helper.make_node("Softmax", ["x"], ["y"], axis=1)
    node.attribute.append(node.attribute[0])
    made.graph.node[0].CopyFrom(node)


@broken("has 100000 values")
def _attribute_of_many_values(made: ModelProto) -> None:
    made.graph.node[0].CopyFrom(helper.make_node("Transpose", ["x"], ["y"], perm=range(100_000)))


@broken("is no number, text or tensor")
def _attribute_sparse(made: ModelProto) -> None:
    indices = helper.make_tensor("i", TensorProto.INT64, [COLUMNS], range(COLUMNS))
    sparse = helper.make_sparse_tensor(weights(), indices, [1 << 44])
    made.graph.node[0].CopyFrom(helper.make_node("Constant", [], ["y"], sparse_value=sparse))


@broken("which nothing before it gives")
def _dangling(made: ModelProto) -> None:
    made.graph.node[0].input[1] = "nothing"


@broken("which nothing before it gives")
def _cycle(made: ModelProto) -> None:
    made.graph.node[0].input[1] = "loop"
    made.graph.node.append(helper.make_node("Neg", ["y"], ["loop"]))


@broken("which was given before")
def _output_twice(made: ModelProto) -> None:
    made.graph.node.append(helper.make_node("Neg", ["x"], ["y"]))


@broken("nothing gives the output 'z'")
def _output_of_nothing(made: ModelProto) -> None:
    made.graph.output[0].name = "z"


@broken("2000 characters")
def _name_too_long(made: ModelProto) -> None:
    made.graph.node[0].input[1] = made.graph.initializer[0].name = "w" * 2000


@hostile("not UTF-8")
def _name_not_utf8(_: Path) -> bytes:
    made = model([helper.make_node("Neg", ["x"], ["NAME"]), helper.make_node("Neg", ["NAME"], ["y"])])
    return bytes(made.SerializeToString()).replace(b"NAME", b"\xff\xfe\xff\xfe")


@broken(r"opsets \[\]")
def _opset_missing(made: ModelProto) -> None:
    made.ClearField("opset_import")


@broken(r"opsets \[999\]")
def _opset_of_the_future(made: ModelProto) -> None:
    made.opset_import[0].version = 999


@broken("IR version 99")
def _ir_of_the_future(made: ModelProto) -> None:
    made.ir_version = 99


@broken(r"\('Add'\) is an operator of domain 'evil.example'")
def _domain_of_its_own(made: ModelProto) -> None:
    made.graph.node[0].domain = "evil.example"
    made.opset_import.append(helper.make_opsetid("evil.example", 1))


@broken("of domain 'com.microsoft' that vehicles do not run")
def _contributed_operator(made: ModelProto) -> None:
    made.graph.node[0].CopyFrom(helper.make_node("Tokenizer", ["x"], ["y"], domain="com.microsoft", mark=1))
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))


@broken("not an operator of opset 17")
def _operator_of_another_opset(made: ModelProto) -> None:
    made.graph.node[0].CopyFrom(helper.make_node("Swish", ["x"], ["y"]))


@broken("sequence_type")
def _input_of_sequences(made: ModelProto) -> None:
    made.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [1]))


@broken("do not fit together")
def _types_that_do_not_fit(made: ModelProto) -> None:
    made.graph.initializer[0].CopyFrom(helper.make_tensor("w", TensorProto.INT64, [COLUMNS], range(COLUMNS)))


@broken("metadata and documentation have 2000003 characters")
def _metadata_of_megabytes(made: ModelProto) -> None:
    made.metadata_props.add(key="key", value="v" * 2_000_000)
