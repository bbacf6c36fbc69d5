"""How well vectors find what they belong to: mean reciprocal rank, in plain numpy."""

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from parkade_models.docstrings import BODY, QUERY

Vectors = NDArray[np.float32]


def mean_reciprocal_rank(queries: Vectors, bodies: Vectors, depth: int = 10) -> float:
    """MRR at *depth* of row-aligned unit vectors: query i should find body i. Ties count against us."""
    scores = queries @ bodies.T
    own = np.diagonal(scores)[:, np.newaxis]
    ranks = (scores >= own).sum(axis=1)
    return float(np.where(ranks <= depth, 1.0 / ranks, 0.0).mean())


def pairs_of(output: bytes) -> tuple[Vectors, Vectors]:
    """Query and body vectors of an output.jsonl, aligned; a document that lacks either is left out."""
    vectors = dict(_vector(line) for line in output.splitlines())
    names = [key.removesuffix(QUERY) for key in vectors if key.endswith(QUERY)]
    names = [name for name in names if name + BODY in vectors]
    queries = np.array([vectors[name + QUERY] for name in names], np.float32)
    return queries, np.array([vectors[name + BODY] for name in names], np.float32)


def _vector(line: bytes) -> tuple[str, list[float]]:
    row: dict[str, Any] = orjson.loads(line)
    return row["custom_id"], row["response"]["body"]["data"][0]["embedding"]
