"""How large a request may be, and how many lanes fit into the memory that is lent. Pure."""

import math
from collections.abc import Sequence
from typing import Final

from parkade_agent.sidecar.datatypes import DATATYPES
from parkade_models.bundle import Bundle
from parkade_models.session import TensorSpec

MOST_LANES: Final = 256
_ROWS: Final = 64
_FREE_SIZE: Final = 1024
_BYTES_ELEMENT: Final = 1 << 20
_FRAME: Final = 64 << 10  # names, shapes, parameters and the id, which no tensor counts
_LEAST: Final = 4 << 20
_MOST: Final = 256 << 20
_GRPC_MOST: Final = (1 << 31) - 1


def message_limit(inputs: Sequence[TensorSpec]) -> int:
    """The bytes of the largest request that a model with these *inputs* needs; gRPC refuses a larger one unread.

    A request has room for 64 rows in raw contents: the first size that callers choose counts as 64 and every
    further one as 1,024, an element of BYTES as 1 MiB. It is at least 4 MiB, which gRPC's clients are used to, and
    at most 256 MiB, so that a few requests fit into a slot's memory; but a row of fixed size is never too large.
    """
    row = sum(_size(spec, rows=1, free=1) for spec in inputs)
    wanted = sum(_size(spec, rows=_ROWS, free=_FREE_SIZE) for spec in inputs)
    return min(max(row, _LEAST, min(wanted, _MOST)) + _FRAME, _GRPC_MOST)


def _size(spec: TensorSpec, *, rows: int, free: int) -> int:
    element = _BYTES_ELEMENT if spec.datatype == "BYTES" else DATATYPES[spec.datatype].dtype.itemsize
    fixed = math.prod(size for size in spec.shape if size >= 0)
    chosen = spec.shape.count(-1)
    return element * fixed * (rows * free ** (chosen - 1) if chosen else 1)


def most_lanes(bundle: Bundle, memory_bytes: int) -> int:
    """Lanes whose runs fit together into *memory_bytes*, one at least.

    The bundle's budget is what one lane took with all that is there once: interpreter, runtime, weights. A further
    lane is counted as all of it but the model's file: rather too much than memory that the owner did not lend.
    Without a budget nothing is known, and the limit of the process is all there is.
    """
    if bundle.manifest.budget is None:
        return MOST_LANES
    first = bundle.manifest.budget.memoryBytes
    further = max(1, first - bundle.manifest.file(bundle.variant.file).size)
    return min(MOST_LANES, 1 + max(0, memory_bytes - first) // further)
