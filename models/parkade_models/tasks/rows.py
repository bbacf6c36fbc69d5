"""Several rows in one run, where a bundle's build proved that a row's result does not depend on its neighbours."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import numpy as np

from parkade_api.wellknown import RecordError
from parkade_models.errors import BadRecordError, BundleError
from parkade_models.session import Arrays, TensorSpec
from parkade_models.tasks.task import one_by_one

Run = Callable[[Arrays], Arrays]
"""Runs the graph: outputs for inputs, by name."""


def check_rows(wanted: int, specs: Iterable[TensorSpec]) -> None:
    """Raises BundleError when *wanted* rows a run are more than one, and a tensor does not take any number of rows."""
    for spec in specs:
        if wanted > 1 and spec.shape[:1] != (-1,):
            raise BundleError(f"rowsPerRun is {wanted}, but tensor {spec.name} has shape {list(spec.shape)}")


def run_together(run: Run, rows: Sequence[Arrays | BadRecordError]) -> list[Arrays | BadRecordError]:
    """The outputs of each row out of one run of all. Rows that are errors stay errors and are left out of it.

    When the run fails, each row is run by itself, so that only a record that is at fault fails.
    """
    good = [row for row in rows if not isinstance(row, BadRecordError)]
    if len(good) > 1:
        with suppress(BadRecordError):
            found = iter(_split(run(_joined(good)), len(good)))
            return [row if isinstance(row, BadRecordError) else next(found) for row in rows]
    return one_by_one(run, rows)


def run_in_parts(run: Run, rows: Arrays, size: int) -> Arrays:
    """The outputs of any number of rows, *size* rows a run. Raises BadRecordError."""
    counts = {len(array) for array in rows.values()}
    if len(counts) > 1:
        message = f"The tensors have {sorted(counts)} rows; all must have the same number."
        raise BadRecordError(RecordError.BAD_REQUEST, message)
    total = counts.pop()
    if total <= size:
        return run(rows)
    starts = range(0, total, size)
    return _joined([run({name: array[at : at + size] for name, array in rows.items()}) for at in starts])


def _joined(parts: Sequence[Arrays]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _split(outputs: Arrays, count: int) -> list[Arrays]:
    if any(len(array) != count for array in outputs.values()):
        message = "The model gave another number of rows than it was given."
        raise BadRecordError(RecordError.INFERENCE_FAILED, message)
    return [{name: array[at : at + 1] for name, array in outputs.items()} for at in range(count)]
