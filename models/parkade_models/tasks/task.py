"""What the sidecar and the command line ask of a task, whatever the model does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import structlog
from numpy.typing import NDArray

from parkade_api.wellknown import RecordError
from parkade_models.errors import BadRecordError, ModelsError
from parkade_models.session import Session, TensorSpec

Answer = dict[str, Any] | BadRecordError
Item = TypeVar("Item")
Made = TypeVar("Made")
_log = structlog.get_logger()


class Task(Protocol):
    """A loaded model. Lanes may share it; a record's result depends on the record alone.

    A module of this folder that defines `TASK`, a callable from a Bundle to a Task, is the task of the module's name.
    """

    @property
    def session(self) -> Session:
        """The session that runs the graph: stopped, resumed and watched by whoever owns the lanes."""
        ...

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Tensors that `infer` takes."""
        ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Tensors that `infer` gives."""
        ...

    @property
    def rows_per_run(self) -> int:
        """How many records `answers` takes at most; more than 1 only where that was proved to change no byte."""
        ...

    def answers(self, bodies: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """For each record's request body the response body, or why there is none. Raises StoppedError."""
        ...

    def infer(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Output tensors for input tensors by name, row by row. Raises BadRecordError or StoppedError."""
        ...

    def warm_up(self) -> None:
        """Runs the model once, so that the first record is as quick as the rest."""
        ...


def one_by_one(
    make: Callable[[Item], Made], items: Sequence[Item | BadRecordError]
) -> list[Made | BadRecordError]:
    """What *make* gives for each item, or the BadRecordError that it raises; an item that is an error stays one.

    What nobody foresaw is the item's error too: it would end the shard in every vehicle, and the batch would never
    end. Too little memory, and a stop, say nothing of the item and are raised.
    """
    return [item if isinstance(item, BadRecordError) else _made(make, item) for item in items]


def _made(make: Callable[[Item], Made], item: Item) -> Made | BadRecordError:
    try:
        return make(item)
    except BadRecordError as error:
        return error
    except (ModelsError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - it is logged with its traceback
        # Error files hold the same bytes whichever vehicle wrote them: what it was goes to the log.
        _log.exception("record failed unexpectedly")
        return BadRecordError(RecordError.INFERENCE_FAILED, "This record could not be read or answered.")
