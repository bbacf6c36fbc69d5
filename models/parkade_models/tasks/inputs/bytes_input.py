"""The beginning and the end of a file as one row of int32 numbers, the way magika looks at files.

A block of the manifest's size is taken from either end of the file. White space (ASCII: space, tab, line feed,
vertical tab, form feed, carriage return) is stripped from the front of the first block and from the back of the
last. Of what is left the first `beginning` and the last `end` bytes make the row. Where there are fewer, padding
follows the beginning and precedes the end, so that a file's first and last byte always have the same place.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parkade_api.bundle import BytesInput
from parkade_api.wellknown import RecordError
from parkade_models.errors import BadRecordError
from parkade_models.session import TensorSpec


class BytesReader:
    """Reads files of any kind."""

    def __init__(self, described: BytesInput) -> None:
        self._described = described
        self.spec = TensorSpec(described.tensor, "INT32", (1, described.beginning + described.end))

    def row(self, content: bytes) -> NDArray[Any]:
        """The row of a file's content. Raises BadRecordError when it has no byte at all."""
        if not content:
            raise BadRecordError(RecordError.BAD_REQUEST, "The input has no bytes; give at least one.")
        asked = self._described
        row = np.full(self.spec.shape, asked.padding, np.int32)
        first = content[: asked.block].lstrip()[: asked.beginning]
        row[0, : len(first)] = np.frombuffer(first, np.uint8)
        last = content[-asked.block :].rstrip()[-asked.end :] if asked.end else b""
        row[0, row.size - len(last) :] = np.frombuffer(last, np.uint8)
        return row
