"""Work on ONNX graphs before and after quantization: keep an output, upgrade, fold, look at what is computed how."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import onnx
import onnxruntime as ort
from onnx import version_converter

from parkade_models.errors import BuildError

OPSET: Final = 17
"""The lowest opset that static per-channel quantization gives valid graphs for."""

_INTEGER: Final = frozenset(
    {
        "ConvInteger",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "QAttention",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
    }
)
_FLOAT: Final = frozenset(
    {"Attention", "Conv", "FusedConv", "FusedGemm", "FusedMatMul", "Gemm", "LSTM", "MatMul"}
)

_REQUANTIZED: Final = frozenset({"Conv", "ConvTranspose", "Gemm"})


@dataclass(frozen=True, slots=True)
class Products:
    """How many matrix products and convolutions onnxruntime computes in integers, and how many in float."""

    integer: int
    float: int


def keep_output(source: Path, target: Path, tensor: str, name: str) -> None:
    """Writes a copy of the graph with *tensor* as its only output, called *name*."""
    model = onnx.load(str(source))
    nodes = [node for node in model.graph.node if tensor in node.output]
    if not nodes:
        raise BuildError(f"{source.name} has no tensor called {tensor}")
    kept = next(output for output in model.graph.output if output.name == tensor)
    for node in model.graph.node:
        node.input[:] = [name if value == tensor else value for value in node.input]
        node.output[:] = [name if value == tensor else value for value in node.output]
    del model.graph.output[:]
    model.graph.output.append(kept)
    model.graph.output[0].name = name
    onnx.save(model, str(target))


def prepare(source: Path, target: Path) -> None:
    """Writes the graph in float32 as quantization wants it: opset 17 or later, constants folded.

    Folding comes first of all: on an unfolded graph weights hide behind Constant and Transpose nodes and stay in
    float. Raises BuildError when the graph cannot be upgraded or loaded.
    """
    with TemporaryDirectory(prefix="parkade-graph-") as scratch:
        upgraded = Path(scratch) / "upgraded.onnx"
        try:
            _upgrade(source, upgraded)
            fold(upgraded, target)
            _name_nodes(target)
        except Exception as error:  # onnx and onnxruntime raise bases that share nothing
            raise BuildError(
                f"{source.name} cannot be folded and brought to opset {OPSET}: {error}"
            ) from error


def _upgrade(source: Path, target: Path) -> None:
    model = onnx.load(str(source))
    if _opset(model) < OPSET:
        model = version_converter.convert_version(model, OPSET)
    onnx.save(model, str(target))


def _name_nodes(path: Path) -> None:
    """Gives every node a name of its own, by which a recipe can leave it in float."""
    model = onnx.load(str(path))
    for index, node in enumerate(model.graph.node):
        node.name = f"{index}:{node.op_type}"
    # Without this mark the quantizer warns that a graph should be folded first.
    onnx.helper.set_model_props(model, _properties(model) | {"onnx.quant.pre_process": "onnxruntime.quant"})
    onnx.save(model, str(path))


def _properties(model: Any) -> dict[str, str]:
    return {each.key: each.value for each in model.metadata_props}


def _opset(model: Any) -> int:
    return max((each.version for each in model.opset_import if each.domain in {"", "ai.onnx"}), default=0)


def fold(source: Path, target: Path) -> None:
    """Writes the graph after onnxruntime's basic optimisation, which is the same on every CPU."""
    _optimise(source, target, ort.GraphOptimizationLevel.ORT_ENABLE_BASIC)


def shield_floats(path: Path) -> None:
    """Keeps products in float that a static recipe left in float.

    When onnxruntime loads a Conv, ConvTranspose or Gemm with float weights behind a DequantizeLinear, it quantizes
    these weights by itself, for the whole tensor at once. A maximum of one input computes nothing and keeps it away.
    """
    model = onnx.load(str(path))
    floats = {weight.name for weight in model.graph.initializer if weight.data_type == onnx.TensorProto.FLOAT}
    nodes = []
    for node in model.graph.node:
        if node.op_type in _REQUANTIZED and node.input[1] in floats:
            shielded = f"{node.name}:shielded"
            nodes.append(onnx.helper.make_node("Max", [node.input[0]], [shielded], f"{node.name}:Max"))
            node.input[0] = shielded
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, str(path))


def products(model: Path) -> Products:
    """How the products are computed here, after onnxruntime has fused what it can.

    A file can hold INT8 weights and still compute in float: what runs decides, not the file's name.
    """
    with TemporaryDirectory(prefix="parkade-graph-") as scratch:
        fused = Path(scratch) / "fused.onnx"
        _optimise(model, fused, ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED)
        operators = Counter(node.op_type for node in onnx.load(str(fused)).graph.node)
    return Products(
        integer=sum(operators[name] for name in _INTEGER), float=sum(operators[name] for name in _FLOAT)
    )


def _optimise(source: Path, target: Path, level: Any) -> None:
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
