"""What building a bundle takes besides its model: the command line, the search that decides, and what it decided."""

import argparse
import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from parkade_api.bundle import BundleDescription, Precision
from parkade_models.bundle import describe_file
from parkade_models.errors import ModelsError
from parkade_models.graph import prepare
from parkade_models.recipes import Calibration, quantize, recipe_named
from parkade_models.search.budget import measure_budget
from parkade_models.search.evaluation import Example
from parkade_models.search.output import MODEL, Decision, complete, plain_variant, write_decided
from parkade_models.search.proof import prove_recipe
from parkade_models.search.request import Request
from parkade_models.search.run import FLOAT32, search
from parkade_models.search.workshop import Workshop, feeds_of

_MODEL_FP32 = "model.fp32.onnx"


def run(build: Callable[[Path, Precision], str], decide: Callable[[], None]) -> None:
    """Has *build* make the bundle in the folder given on the command line and prints its digest, or has it decided."""
    parser = argparse.ArgumentParser(description="Build a bundle.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("out_dir", type=Path, nargs="?")
    what.add_argument(
        "--search", action="store_true", help="search the recipe again and write what was found"
    )
    parser.add_argument("--precision", choices=["INT8", "FP32"], default="INT8")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # the quantizer warns of every norm's weight that has one axis
    try:
        if arguments.search:
            decide()
        else:
            sys.stdout.write(build(arguments.out_dir, arguments.precision) + "\n")
    except ModelsError as error:
        sys.exit(f"{parser.prog}: {error}")


def decide(request: Request, file: Path) -> None:
    """Searches the recipe and writes the decision and the figures of all candidates into *file*."""
    outcome = search(request, Lines())
    decision = outcome.decision and outcome.decision.model_dump(exclude_none=True)
    found: dict[str, Any] = {"decision": decision, "report": outcome.report.as_json()}
    file.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    chosen = outcome.report.chosen
    say(f"wrote {file.name}: {outcome.report.refusal if chosen is None else chosen.recipe}")


def decision_in(file: Path) -> Decision:
    """What a search decided, read from the file that it wrote."""
    return Decision.model_validate(orjson.loads(file.read_bytes())["decision"])


def write_float32(description: BundleDescription, model: Path, out_dir: Path) -> str:
    """Writes the float32 bundle of the file *model* and returns its digest; files it mentions lie beside the model."""
    out_dir.mkdir(parents=True, exist_ok=True)
    prepare(model, out_dir / _MODEL_FP32)
    return complete(description, model.parent, out_dir, plain_variant("FP32", _MODEL_FP32, FLOAT32))


def write_int8(
    description: BundleDescription,
    model: Path,
    decision: Decision,
    calibration: Sequence[Example],
    out_dir: Path,
) -> str:
    """Writes the INT8 bundle of the float32 file *model* as a search decided, and returns its digest.

    Files that the description mentions lie beside the model; *calibration* is what the search calibrated with. Where
    the same steps give another file than the one that was searched, the bundle states only what is measured of it
    here. Raises BuildError.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    recipe = recipe_named(decision.variant.recipe)
    with TemporaryDirectory(prefix="parkade-build-") as scratch:
        workshop = Workshop(description, model.parent, Path(scratch))
        quantized = workshop.path(recipe.name)
        folded = Path(scratch) / "folded.onnx"
        prepare(model, folded)
        bodies = [body for example in calibration for body in example.bodies()]
        feeds = feeds_of(workshop.open_float32(folded), bodies) if bodies else []
        quantize(recipe, folded, quantized, Calibration(folded, feeds, Path(scratch)))
        if describe_file(quantized).sha256 != decision.model_sha256:
            say(
                f"{description.name} is not the file that was searched: its bundle states no quality and no speed"
            )
            decision = measured_again(decision, workshop)
        shutil.copyfile(quantized, out_dir / MODEL)
    return write_decided(description, model.parent, decision, out_dir)


def measured_again(decision: Decision, workshop: Workshop) -> Decision:
    """The decision for another file of its recipe in the *workshop*: rows proved and budget measured on the vectors."""
    recipe = decision.variant.recipe
    file = workshop.path(recipe)
    rows = prove_recipe(workshop, recipe, decision.vectors)
    return Decision(
        variant=plain_variant("INT8", MODEL, recipe),
        model_sha256=describe_file(file).sha256,
        rows_per_run=rows.rows_per_run,
        rows_reason=rows.sentence,
        budget=measure_budget(file.parent, decision.vectors),
        vectors=decision.vectors,
    )


class Lines:
    """Progress as lines on standard error."""

    def __init__(self) -> None:
        self._steps = 1
        self._done = 0

    def begin(self, steps: int) -> None:
        """Remembers the sum."""
        self._steps = steps

    def stage(self, sentence: str) -> None:
        """Writes a line with the share that is done."""
        say(f"{self._done / self._steps:4.0%} {sentence}")

    def advance(self, steps: int) -> None:
        """Adds to the share."""
        self._done += steps


def say(sentence: str) -> None:
    """Tells whoever waits for a build what happens."""
    sys.stderr.write(f"models: {sentence}\n")
    sys.stderr.flush()
