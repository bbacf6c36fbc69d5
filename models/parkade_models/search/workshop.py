"""Candidates of a search as bundles in a scratch folder, opened as a vehicle would open them."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parkade_api.bundle import BundleDescription
from parkade_models.bundle import load_bundle
from parkade_models.errors import BadRecordError, BuildError
from parkade_models.recipes import Feeds
from parkade_models.search.evaluation import DataError
from parkade_models.search.output import MODEL, complete, plain_variant
from parkade_models.session import Session
from parkade_models.tasks import open_task
from parkade_models.tasks.task import Task

_COMPARED: Final = 8  # runs
_RELATIVE: Final = 1e-3
_ABSOLUTE: Final = 1e-4


class Workshop:
    """Makes bundles below *scratch* of a description whose files lie in *source*."""

    def __init__(self, description: BundleDescription, source: Path, scratch: Path) -> None:
        self._description = description.model_copy(update={"vectors": None, "budget": None})
        self._source = source
        self._scratch = scratch

    def path(self, recipe: str) -> Path:
        """Where the model of that recipe is to be written."""
        folder = self._scratch / recipe.replace(" ", "-")
        folder.mkdir(exist_ok=True)
        return folder / MODEL

    def open_int8(self, recipe: str, rows: int = 1) -> Task:
        """The model that was written there, loaded. Raises BundleError when it cannot be."""
        folder = self.path(recipe).parent
        description = self._description.model_copy(update={"rowsPerRun": rows})
        complete(description, self._source, folder, plain_variant("INT8", MODEL, recipe))
        return open_task(load_bundle(folder))

    def open_float32(self, model: Path) -> Task:
        """The float32 *model*, loaded. Raises BundleError when it does not fit the description."""
        folder = self._scratch / "float32"
        folder.mkdir()
        shutil.copyfile(model, folder / model.name)
        description = self._description.model_copy(update={"rowsPerRun": 1})
        complete(description, self._source, folder, plain_variant("FP32", model.name, "folded"))
        return open_task(load_bundle(folder, "FP32"))


def feeds_of(task: Task, bodies: Sequence[Mapping[str, Any]]) -> list[Feeds]:
    """What the task feeds its graph for each record. Raises DataError when a record cannot be answered."""
    feeds: list[Feeds] = []
    task.session.observe = feeds.append
    try:
        for number, answer in enumerate(task.answers([body])[0] for body in bodies):
            if isinstance(answer, BadRecordError):
                raise DataError(f"record {number + 1} of the calibration data: {answer.message}")
    finally:
        task.session.observe = None
    return feeds


def check_same(original: Path, prepared: Session, feeds: Sequence[Feeds]) -> None:
    """Raises BuildError when the prepared graph does not compute what the *original* file computes."""
    session = Session(original.read_bytes(), original.name)
    names = [spec.name for spec in session.outputs]
    for each in feeds[:_COMPARED]:
        for name, wanted, found in zip(
            names, session.run(names, each), prepared.run(names, each), strict=True
        ):
            if not _is_same(wanted, found):
                raise BuildError(f"folding and upgrading {original.name} changes its output {name}")


def _is_same(wanted: NDArray[Any], found: NDArray[Any]) -> bool:
    if not np.issubdtype(wanted.dtype, np.floating):
        return np.array_equal(wanted, found)
    return np.allclose(wanted, found, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
