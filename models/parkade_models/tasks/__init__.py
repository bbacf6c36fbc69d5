"""The tasks that a bundle can name. A new one is a module here and a line in `_TASKS`."""

from collections.abc import Callable, Mapping
from typing import Final

from parkade_models.bundle import Bundle
from parkade_models.tasks.embedding import EmbeddingTask
from parkade_models.tasks.task import Task

_TASKS: Final[Mapping[str, Callable[[Bundle], Task]]] = {"embedding": EmbeddingTask}


def open_task(bundle: Bundle) -> Task:
    """Loads the bundle's model into the task that it names. Raises BundleError when it cannot be loaded."""
    return _TASKS[bundle.manifest.task](bundle)
