"""What a publisher begins with: an ONNX file in float32, and data that says how good it is, small enough for a test."""

import base64
import io
import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from support.models import graph

_WIDTH = 1024  # wide enough for INT8 to be faster on any machine
_LABELS = 4
_EXAMPLES = 48


def write_float32(folder: Path) -> None:
    """Writes model.onnx, a classifier of vectors, and eval.jsonl, vectors with the labels that float32 gives them."""
    rng = np.random.default_rng(0)
    hidden = (rng.standard_normal((_WIDTH, _WIDTH)) / 32).astype(np.float32)
    head = rng.standard_normal((_WIDTH, _LABELS)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["vector", "hidden"], ["seen"]),
        helper.make_node("Relu", ["seen"], ["kept"]),
        helper.make_node("MatMul", ["kept", "head"], ["scores"]),
    ]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])
        for name, width in (("vector", _WIDTH), ("scores", _LABELS))
    ]
    weights = [numpy_helper.from_array(hidden, "hidden"), numpy_helper.from_array(head, "head")]
    (folder / "model.onnx").write_bytes(graph(nodes, ports[:1], ports[1:], initializer=weights))
    vectors = rng.standard_normal((_EXAMPLES, 1, _WIDTH)).astype(np.float32)
    scores = np.maximum(vectors @ hidden, 0) @ head
    rows = (
        {"input": _npz(vector), "label": int(row.argmax())}
        for vector, row in zip(vectors, scores, strict=True)
    )
    (folder / "eval.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def _npz(vector: np.ndarray) -> str:
    packed = io.BytesIO()
    np.savez(packed, vector=vector)
    return base64.b64encode(packed.getvalue()).decode()
