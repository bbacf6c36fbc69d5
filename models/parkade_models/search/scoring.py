"""Metrics of a task's answers: what pairs, labels or float32's own answers say of them.

What an answer says is read from its form, so a new task that answers in one of these forms is scored without more.
"""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parkade_models.errors import BadRecordError
from parkade_models.retrieval import mean_reciprocal_rank
from parkade_models.search.evaluation import DataError, Example, Form
from parkade_models.tasks.task import Answer

TOLERANCE: Final = 0.05
"""Tensors agree when their difference has at most this share of float32's norm."""

_METRICS: Final = {
    Form.PAIRS: "MRR@10",
    Form.LABELLED: "accuracy",
    Form.UNLABELLED: "agreement with float32 (no labels)",
}


@dataclass(frozen=True, slots=True)
class Judge:
    """Scores answers to the records of *examples*, in their order, beside those of float32."""

    examples: Sequence[Example]
    reference: Sequence[Answer]

    @property
    def metric(self) -> str:
        """The metric's name."""
        return _METRICS[self.examples[0].form]

    @property
    def is_weaker(self) -> bool:
        """The data has no labels, so the answers can only be compared with float32's."""
        return self.examples[0].form is Form.UNLABELLED

    def score(self, answers: Sequence[Answer]) -> float:
        """The metric, from 0 to 1. Raises DataError when answers of this task cannot be scored by this data."""
        match self.examples[0].form:
            case Form.PAIRS:
                return _pairs_found(answers)
            case Form.LABELLED:
                labels = [example.label for example in self.examples]
                return _share([_says(a) == label for a, label in zip(answers, labels, strict=True)])
            case Form.UNLABELLED:
                return _agreement(self.reference, answers)


def check_reference(examples: Sequence[Example], answers: Sequence[Answer]) -> None:
    """Raises DataError naming the first example that float32 itself cannot answer."""
    numbers = [number for number, each in enumerate(examples, start=1) for _ in each.bodies()]
    for number, answer in zip(numbers, answers, strict=True):
        if isinstance(answer, BadRecordError):
            raise DataError(
                f"example {number} cannot be answered by the float32 model either: {answer.message}"
            )


def _pairs_found(answers: Sequence[Answer]) -> float:
    vectors = _vectors(answers)
    return mean_reciprocal_rank(vectors[0::2], vectors[1::2])


def _agreement(reference: Sequence[Answer], answers: Sequence[Answer]) -> float:
    first = next((answer for answer in reference if not isinstance(answer, BadRecordError)), None)
    if first is None:
        raise DataError("float32 answers none of the records")
    if _vector(first) is not None:
        return _neighbours_kept(reference, answers)
    same: Callable[[Answer, Answer], bool] = _same_arrays if _is_tensors(first) else _same_label
    return _share([same(wanted, found) for wanted, found in zip(reference, answers, strict=True)])


def _neighbours_kept(reference: Sequence[Answer], answers: Sequence[Answer]) -> float:
    """Share of the records whose nearest other record is the one that float32 finds."""
    return _share((_nearest(reference) == _nearest(answers)).tolist())


def _nearest(answers: Sequence[Answer]) -> NDArray[np.int64]:
    vectors = _vectors(answers)
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return np.asarray(scores.argmax(axis=1))


def _vectors(answers: Sequence[Answer]) -> NDArray[np.float32]:
    """One row an answer; where there is none zeros, which are as near to everything and so find nothing."""
    found = [_vector(answer) for answer in answers]
    width = next((vector.size for vector in found if vector is not None), 0)
    if not width:
        raise DataError("answers of this task hold no vectors; pairs of query and match cannot be scored")
    return np.array([np.zeros(width) if vector is None else vector for vector in found], np.float32)


def _same_label(wanted: Answer, found: Answer) -> bool:
    return _says(wanted) == _says(found)


def _same_arrays(wanted: Answer, found: Answer) -> bool:
    if isinstance(found, BadRecordError) or isinstance(wanted, BadRecordError):
        return False
    one, other = _arrays(wanted), _arrays(found)
    return one.keys() == other.keys() and all(_is_close(one[name], other[name]) for name in one)


def _is_close(wanted: NDArray[Any], found: NDArray[Any]) -> bool:
    if wanted.shape != found.shape:
        return False
    if not np.issubdtype(wanted.dtype, np.floating):
        return bool(np.array_equal(wanted, found))
    exact = wanted.astype(np.float64)
    return bool(np.linalg.norm(found - exact) <= TOLERANCE * np.linalg.norm(exact))


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def _vector(answer: Answer) -> NDArray[np.float32] | None:
    """The embedding in an answer, if it is one."""
    if isinstance(answer, BadRecordError) or not isinstance(answer["data"], list):
        return None
    vector = answer["data"][0].get("embedding")
    return None if vector is None else np.asarray(vector, np.float32)


def _says(answer: Answer) -> str | None:
    """The label in an answer: the likeliest class, or the index of the largest element of the first tensor."""
    if isinstance(answer, BadRecordError):
        return None
    if _is_tensors(answer):
        return str(int(next(iter(_arrays(answer).values())).argmax()))
    label = answer["data"][0].get("label")
    if label is None:
        raise DataError("answers of this task hold no label; give pairs of query and match, or inputs alone")
    return str(label)


def _is_tensors(answer: Mapping[str, Any]) -> bool:
    return isinstance(answer["data"], str)


def _arrays(answer: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    with np.load(io.BytesIO(base64.b64decode(answer["data"])), allow_pickle=False) as archive:
        return dict(archive)
