"""From a float32 graph to an INT8 one: fold, quantize dynamically, look at what came out.

Folding comes first: on an unfolded graph weights hide behind Constant and Transpose nodes and stay in float.
A file can also hold INT8 weights and still compute in float, so the operators are checked and not the name.
"""

from pathlib import Path
from typing import Final

import onnx
import onnxruntime as ort
from onnxruntime.quantization import QuantType, quantize_dynamic

from parkade_models.errors import BuildError

RECIPE: Final = "dynamic, per channel, signed weights"
_INTEGER_OPERATORS: Final = frozenset({"MatMulInteger", "DynamicQuantizeMatMul"})


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


def fold(source: Path, target: Path) -> None:
    """Writes the graph after onnxruntime's basic optimisation, which is the same on every CPU."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def quantize(source: Path, target: Path) -> None:
    """Writes the folded graph in INT8. Raises BuildError when the result does not compute in integers."""
    quantize_dynamic(str(source), str(target), per_channel=True, weight_type=QuantType.QInt8)
    operators = [node.op_type for node in onnx.load(str(target)).graph.node]
    if not _INTEGER_OPERATORS.intersection(operators):
        raise BuildError(f"{target.name} holds none of {sorted(_INTEGER_OPERATORS)}: it computes in float")
