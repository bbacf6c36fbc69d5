"""What a search is asked, and how it tells how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from parkade_api.bundle import BundleDescription
from parkade_models.search.evaluation import Example

GATE: Final = 0.99


@dataclass(frozen=True, slots=True)
class Request:
    """A float32 model whose fastest good INT8 recipe is wanted."""

    model: Path
    """An ONNX file in float32."""

    description: BundleDescription
    folder: Path
    """Where the files lie that the description mentions, such as the tokenizer."""

    evaluation: Sequence[Example]
    """Held-out data, all of one form."""

    calibration: Sequence[Example]
    """Data of the same form that shares no record with the held-out data; labels in it are not looked at."""

    gate: float = GATE
    """Share of float32's metric that a candidate must keep."""

    vectors: Sequence[Example] = ()
    """What may travel in the bundle as its vectors; when there is none, the held-out data."""


class Progress(Protocol):
    """Hears how far a search is, so that somebody can draw a bar: steps done of steps in all give the time left."""

    def begin(self, steps: int) -> None:
        """The search will take *steps* steps, each about one run of the model."""
        ...

    def stage(self, sentence: str) -> None:
        """What is being done now, such as `3 of 9: dynamic, MatMul`."""
        ...

    def advance(self, steps: int) -> None:
        """*steps* more steps are done, or need not be done."""
        ...
