"""What answers score against pairs, labels, and float32's own answers."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from parkade_api.wellknown import RecordError
from parkade_models.errors import BadRecordError
from parkade_models.search.evaluation import DataError, Example
from parkade_models.search.scoring import Judge, check_reference
from parkade_models.tasks.npz import write_npz
from parkade_models.tasks.task import Answer

FAILED = BadRecordError(RecordError.INFERENCE_FAILED, "The model could not be run on this record.")


def _vector(*elements: float) -> Answer:
    return {"object": "list", "data": [{"embedding": np.array(elements, np.float32)}]}


def _label(name: str) -> Answer:
    return {"object": "list", "data": [{"index": 0, "label": name, "probability": 0.9}]}


def _tensors(**arrays: Sequence[Any]) -> Answer:
    packed = write_npz({name: np.array(values) for name, values in arrays.items()})
    return {"object": "tensors", "data": base64.b64encode(packed).decode()}


PAIRS = [Example("a", match="b"), Example("c", match="d")]
LABELLED = [Example("a", label="cat"), Example("b", label="dog")]
ALONE = [Example("a"), Example("b")]
EAST, NORTH, WEST = _vector(1, 0), _vector(0, 1), _vector(-1, 0)


@pytest.mark.parametrize(
    ("examples", "reference", "answers", "score"),
    [
        (PAIRS, [], [EAST, EAST, NORTH, NORTH], 1.0),
        (PAIRS, [], [EAST, NORTH, NORTH, EAST], 0.5),
        (PAIRS, [], [EAST, EAST, FAILED, NORTH], 0.75),
        (LABELLED, [], [_label("cat"), _label("cat")], 0.5),
        (LABELLED, [], [_label("cat"), FAILED], 0.5),
        ([Example("a", label="2")], [], [_tensors(y=[0.1, 0.2, 0.7])], 1.0),
        (ALONE, [_label("cat"), _label("dog")], [_label("cat"), _label("cat")], 0.5),
        (ALONE, [_label("cat"), _label("dog")], [FAILED, _label("dog")], 0.5),
        (ALONE, [_tensors(y=[100.0, 0.0])] * 2, [_tensors(y=[99.0, 1.0]), _tensors(y=[94.0, 1.0])], 0.5),
        (ALONE, [_tensors(y=[1, 2])] * 2, [_tensors(y=[1, 2]), _tensors(y=[1, 3])], 0.5),
        (ALONE, [_tensors(y=[1.0])] * 2, [_tensors(y=[np.nan]), _tensors(y=[1.0, 1.0])], 0.0),
        (ALONE, [_tensors(y=[1.0])] * 2, [FAILED, _tensors(z=[1.0])], 0.0),
        ([*ALONE, Example("c")], [EAST, _vector(0.9, 0.1), NORTH], [EAST, _vector(0.1, 0.9), NORTH], 2 / 3),
    ],
)
def test_answers_score(
    examples: list[Example], reference: list[Answer], answers: list[Answer], score: float
) -> None:
    """MRR for pairs, accuracy for labels; else the share that agrees: same label, tensors within 5 %, same neighbour.

    A record without an answer is wrong.
    """
    assert Judge(examples, reference).score(answers) == pytest.approx(score)


@pytest.mark.parametrize(
    ("examples", "metric", "weaker"),
    [
        (PAIRS, "MRR@10", False),
        (LABELLED, "accuracy", False),
        (ALONE, "agreement with float32 (no labels)", True),
    ],
)
def test_metric_says_when_it_is_weaker(examples: list[Example], metric: str, *, weaker: bool) -> None:
    """Data without labels gives a metric that names float32 as its judge."""
    judge = Judge(examples, [])
    assert (judge.metric, judge.is_weaker) == (metric, weaker)


@pytest.mark.parametrize(
    ("examples", "answers", "sentence"),
    [
        (PAIRS, [_label("cat")] * 4, "hold no vectors; pairs of query and match cannot be scored"),
        (LABELLED, [EAST, EAST], "hold no label"),
    ],
)
def test_data_of_another_task_is_refused(
    examples: list[Example], answers: list[Answer], sentence: str
) -> None:
    """Labels say nothing of embeddings, and pairs nothing of classes."""
    with pytest.raises(DataError, match=sentence):
        Judge(examples, []).score(answers)


def test_reference_must_answer_everything() -> None:
    """The example that float32 cannot answer is named by its number, a pair's second half too."""
    with pytest.raises(
        DataError, match="example 2 cannot be answered by the float32 model either: The model"
    ):
        check_reference(PAIRS, [EAST, EAST, NORTH, FAILED])
    check_reference(PAIRS, [EAST, EAST, NORTH, WEST])
