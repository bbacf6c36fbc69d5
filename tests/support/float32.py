"""What a publisher begins with: an ONNX file in float32, and data that says how good it is, small enough for a test."""

import json
from pathlib import Path

import numpy as np

from support.searches import packed, two_layers

_WIDTH = 1024  # wide enough for INT8 to be faster on any machine
_LABELS = 4
_EXAMPLES = 48


def write_float32(folder: Path) -> None:
    """Writes model.onnx, a classifier of vectors, and eval.jsonl, vectors with the labels that float32 gives them."""
    rng = np.random.default_rng(0)
    hidden = (rng.standard_normal((_WIDTH, _WIDTH)) / 32).astype(np.float32)
    head = rng.standard_normal((_WIDTH, _LABELS)).astype(np.float32)
    (folder / "model.onnx").write_bytes(two_layers(hidden, head, "vector", "scores"))
    vectors = rng.standard_normal((_EXAMPLES, 1, _WIDTH)).astype(np.float32)
    scores = np.maximum(vectors @ hidden, 0) @ head
    rows = (
        {"input": packed(vector, "vector"), "label": int(row.argmax())}
        for vector, row in zip(vectors, scores, strict=True)
    )
    (folder / "eval.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
