"""Small ONNX graphs as bundles of a test's own, for what no real model shows."""

from pathlib import Path
from typing import Any, Final

from onnx import ModelProto, TensorProto, ValueInfoProto, helper, load_model_from_string

from parkade_api.bundle import SCHEMA, BundleManifest, TensorInput, TensorShape, Variant
from parkade_models.bundle import Bundle, describe_file, load_bundle, write_manifest

MODEL_FILE: Final = "model.onnx"
OPSET: Final = 17
_IR_VERSION: Final = 8  # what opset 17 was published with
DATATYPES: Final = {
    TensorProto.BOOL: "BOOL",
    TensorProto.UINT8: "UINT8",
    TensorProto.UINT16: "UINT16",
    TensorProto.UINT32: "UINT32",
    TensorProto.UINT64: "UINT64",
    TensorProto.INT8: "INT8",
    TensorProto.INT16: "INT16",
    TensorProto.INT32: "INT32",
    TensorProto.INT64: "INT64",
    TensorProto.FLOAT16: "FP16",
    TensorProto.FLOAT: "FP32",
    TensorProto.DOUBLE: "FP64",
    TensorProto.STRING: "BYTES",
}


def write_bundle(folder: Path, model: bytes, **fields: Any) -> Bundle:
    """Writes *model* as a bundle of task `tensor` into *folder* and loads it.

    *fields* replace those of the manifest, under the names that they have in bundle.json (`task`, `input`,
    `output`, `rowsPerRun`...). Files that already lie in *folder*, such as labels, become the bundle's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(model)
    files = [describe_file(path) for path in sorted(folder.iterdir()) if path.name != "bundle.json"]
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "name": "small",
        "version": "1",
        "license": "Apache-2.0",
        "source": "made by a test",
        "task": "tensor",
        "endpoint": "/v1/tensors",
        "files": files,
        "variants": [Variant(precision="INT8", file=MODEL_FILE, requires="x86-64", recipe="none")],
    }
    if "input" not in fields:
        manifest["input"] = _input_of(load_model_from_string(model))
    write_manifest(folder, BundleManifest(**manifest | fields))
    return load_bundle(folder)


def graph(
    nodes: list[Any], inputs: list[ValueInfoProto], outputs: list[ValueInfoProto], **parts: Any
) -> bytes:
    """The bytes of a model with these nodes; *parts* go to `onnx.helper.make_graph`, such as `initializer`."""
    made = helper.make_graph(nodes, "graph", inputs, outputs, **parts)
    opsets = [helper.make_opsetid("", OPSET)]
    model: ModelProto = helper.make_model(made, opset_imports=opsets, ir_version=_IR_VERSION)
    return bytes(model.SerializeToString())


def echo(*tensors: tuple[str, int, list[int | str]]) -> bytes:
    """A model that gives each (name, ONNX element type, shape) back as `<name>_out`."""
    inputs = [helper.make_tensor_value_info(*tensor) for tensor in tensors]
    outputs = [helper.make_tensor_value_info(f"{name}_out", kind, shape) for name, kind, shape in tensors]
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name, _, _ in tensors]
    return graph(nodes, inputs, outputs)


def as_large_as_asked() -> bytes:
    """A model that makes as many ones as its input `size` says, and adds them up."""
    size = helper.make_tensor_value_info("size", TensorProto.INT64, [1])
    total = helper.make_tensor_value_info("total", TensorProto.FLOAT, [])
    ones = helper.make_node("ConstantOfShape", ["size"], ["ones"])
    return graph([ones, helper.make_node("ReduceSum", ["ones"], ["total"], keepdims=0)], [size], [total])


def _input_of(model: ModelProto) -> TensorInput:
    return TensorInput(kind="tensor", tensors=[_shape_of(tensor) for tensor in model.graph.input])


def _shape_of(tensor: ValueInfoProto) -> TensorShape:
    kind = tensor.type.tensor_type
    sizes = [size.dim_value if size.HasField("dim_value") else -1 for size in kind.shape.dim]
    return TensorShape(name=tensor.name, datatype=DATATYPES[kind.elem_type], shape=sizes)
