"""What `kubectl parkade model quantize` does: files in, one search, every candidate in words, a bundle out."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from parkade_api.bundle import parse_description
from parkade_cli import model_view
from parkade_cli.output import Output
from parkade_models.search.evaluation import Example, hold_out, parse_examples
from parkade_models.search.output import Outcome, write_bundle
from parkade_models.search.picture import draw
from parkade_models.search.request import Request
from parkade_models.search.run import search


@dataclass(frozen=True, slots=True)
class Order:
    """The files that a search is asked with, and its gate."""

    model: Path
    describe: Path
    data: Path
    calibrate: Path | None
    gate: float

    def request(self) -> Request:
        """What the files say. Raises DataError, ValueError and OSError."""
        evaluation = _examples(self.data)
        if self.calibrate is not None:
            calibration = _examples(self.calibrate)
        else:
            calibration, evaluation = hold_out(evaluation)
        return Request(
            model=self.model,
            description=parse_description(self.describe.read_bytes(), self.describe.name),
            folder=self.describe.parent,
            evaluation=evaluation,
            calibration=calibration,
            gate=self.gate,
        )


def quantize(order: Order, out: Path, picture: Path | None, output: Output) -> bool:
    """Searches, prints every candidate, and writes the bundle of the best; whether there is one."""
    _check_empty(out)
    request = order.request()
    with _quiet(), model_view.Bar(Console(stderr=True)) as bar:
        outcome = search(request, bar)
    if picture is not None:
        picture.write_bytes(draw(outcome.report))
    digest = None
    if outcome.report.chosen is not None:
        digest = write_bundle(request.description, request.folder, outcome, out)
    if output is Output.JSON:
        print(json.dumps(outcome.report.as_json() | {"digest": digest}))
    else:
        _show_outcome(outcome, out, digest)
    return digest is not None


def _show_outcome(outcome: Outcome, out: Path, digest: str | None) -> None:
    console = model_view.console()
    console.print(model_view.candidates(outcome.report))
    if digest is None:
        console.print(f"Refused: {outcome.report.refusal}")
    else:
        console.print(f"Wrote {out}: {digest}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides that the quantizer recommends a folding which the search has done."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _examples(path: Path) -> list[Example]:
    return parse_examples(path.read_bytes(), path.name)


def _check_empty(folder: Path) -> None:
    """What lies in the folder already would be no part of the new bundle, and no signature would cover it."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(0, "the folder is not empty; name a new one", str(folder))
