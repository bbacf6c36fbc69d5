"""How the bytes of one record become one row of the graph's input: one file for each kind of input that is bytes."""

from typing import Any, Protocol

from numpy.typing import NDArray

from parkade_api.bundle import BytesInput, ImageInput, Input
from parkade_models.errors import BundleError
from parkade_models.session import TensorSpec
from parkade_models.tasks.inputs.bytes_input import BytesReader
from parkade_models.tasks.inputs.image_input import ImageReader


class RowReader(Protocol):
    """Makes rows. Lanes may share it."""

    @property
    def spec(self) -> TensorSpec:
        """One row, as the graph must take it."""
        ...

    def row(self, content: bytes) -> NDArray[Any]:
        """The row of that content. Raises BadRecordError."""
        ...


def open_reader(described: Input) -> RowReader:
    """The reader of the input that a manifest describes. Raises BundleError when a record of it is not bytes."""
    if isinstance(described, BytesInput):
        return BytesReader(described)
    if isinstance(described, ImageInput):
        return ImageReader(described)
    raise BundleError(f"input has kind {described.kind}; this task needs bytes or image")
