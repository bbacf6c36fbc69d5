"""What the sidecar and the command line ask of a task, whatever the model does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor as the Open Inference Protocol describes it; -1 in the shape means any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class Task(Protocol):
    """A loaded model. Lanes may share it; a record's result depends on the record alone."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Tensors that `infer` takes."""
        ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Tensors that `infer` gives."""
        ...

    def answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The response body to one record's request body. Raises BadRecordError or StoppedError."""
        ...

    def infer(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Output tensors for input tensors by name, row by row. Raises BadRecordError or StoppedError."""
        ...

    def warm_up(self) -> None:
        """Runs the model once, so that the first record is as quick as the rest."""
        ...

    def terminate(self) -> None:
        """Ends every run under way; nothing runs afterwards."""
        ...
