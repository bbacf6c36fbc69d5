"""What the leading operator shows of InferenceBatches and of the gateway that it hears."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, get_args

from parkade_api.figures import Figure, Reading
from parkade_api.v1alpha1.inferencebatch import Phase

INFERENCEBATCHES: Final = Figure(
    "parkade_inferencebatches",
    "InferenceBatches by phase, finished ones too. InProgress while no record is done: read the runbook of"
    " ParkadeBatchesStalled.",
    ("phase",),
)
GATEWAY_CONNECTED: Final = Figure(
    "parkade_gateway_connected",
    "1 while the operator hears the gateway's snapshots, else 0. At 0 statuses stand still, and the work goes on.",
)
FIGURES: Final = (INFERENCEBATCHES, GATEWAY_CONNECTED)
PHASES: Final[tuple[str, ...]] = get_args(Phase)


def read_state(phases: Iterable[str], *, is_connected: bool) -> Iterator[Reading]:
    """All readings at one moment; *phases* holds the phase of every InferenceBatch, empty before its first status."""
    count = Counter(phases)
    for phase in PHASES:
        yield INFERENCEBATCHES.read(count[phase], phase)
    yield GATEWAY_CONNECTED.read(is_connected)
