"""What the sidecar and the command line ask of a task, whatever the model does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from parkade_models.errors import BadRecordError
from parkade_models.session import Session, TensorSpec

Answer = dict[str, Any] | BadRecordError


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
    answer: Callable[[Mapping[str, Any]], dict[str, Any]], bodies: Sequence[Mapping[str, Any]]
) -> list[Answer]:
    """What *answer* gives for each body, a BadRecordError that it raises included. Raises StoppedError."""
    return [_answer(answer, body) for body in bodies]


def _answer(answer: Callable[[Mapping[str, Any]], dict[str, Any]], body: Mapping[str, Any]) -> Answer:
    try:
        return answer(body)
    except BadRecordError as error:
        return error
