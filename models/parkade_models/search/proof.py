"""What is proved of the chosen candidate: it repeats itself, and whether records may share a run."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from parkade_models.errors import BadRecordError, BundleError
from parkade_models.search.workshop import Workshop
from parkade_models.tasks.task import Answer, Task

ROWS: Final = 8
GAIN: Final = 1.03
"""Times the speed of one record a run: what gains less is not worth records that share a run."""

Bodies = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class RowsProof:
    """Whether several records may share a run, and why."""

    rows_per_run: int
    sentence: str


def repeats(one: Task, other: Task, bodies: Bodies) -> bool:
    """The same records give the same bytes: again, and in another load of the same bundle."""
    expected = _bytes_of(one.answers(bodies))
    return all(_bytes_of(task.answers(bodies)) == expected for task in (one, other))


def prove_recipe(workshop: Workshop, recipe: str, bodies: Bodies) -> RowsProof:
    """`prove_rows` of the candidate in the *workshop*; what cannot be opened for several records runs them alone."""
    try:
        shared = workshop.open_int8(recipe, ROWS)
    except BundleError as error:
        return RowsProof(1, str(error))
    return prove_rows(workshop.open_int8(recipe), shared, bodies)


def prove_rows(alone: Task, shared: Task, bodies: Bodies) -> RowsProof:
    """Compares records run alone with the same records in runs of 2 and of 8, cut in two ways, byte for byte.

    *shared* is the same bundle opened with `rowsPerRun` 8. A run of 8 must be faster as well.
    """
    if shared.rows_per_run < ROWS:
        return RowsProof(1, "the task runs one record at a time")
    expected, slow = _timed(alone, bodies, rows=1)
    together, fast = _timed(shared, bodies, rows=ROWS)
    others = [_timed(shared, bodies, rows=rows, first=first)[0] for rows, first in ((2, 2), (ROWS, 3))]
    return decide_rows(slow / fast, same=all(each == expected for each in (together, *others)))


def decide_rows(gain: float, *, same: bool) -> RowsProof:
    """What follows of runs of 8 that are *gain* times as fast as single records and give the *same* bytes, or not."""
    if not same:
        return RowsProof(1, "records that share a run change each other's bytes")
    if gain < GAIN:
        return RowsProof(1, f"runs of {ROWS} records are {gain:.2f} times as fast as single ones")
    return RowsProof(ROWS, f"no byte changes, and runs of {ROWS} records are {gain:.2f} times as fast")


def _timed(task: Task, bodies: Bodies, rows: int, first: int | None = None) -> tuple[list[bytes], float]:
    """Answers of *bodies*, cut into runs of *rows* after a run of *first*, and the CPU seconds that they took."""
    begun = time.thread_time()
    starts = [0, *range(first or rows, len(bodies), rows)]
    ends = [*starts[1:], len(bodies)]
    answers = [answer for s, e in zip(starts, ends, strict=True) for answer in task.answers(bodies[s:e])]
    return _bytes_of(answers), time.thread_time() - begun


def _bytes_of(answers: Sequence[Answer]) -> list[bytes]:
    told = (each.code if isinstance(each, BadRecordError) else each for each in answers)
    return [orjson.dumps(each, option=orjson.OPT_SERIALIZE_NUMPY) for each in told]
