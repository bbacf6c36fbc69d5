"""What building a bundle takes besides its model: the command line, and from float32 to the precision asked for."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from parkade_api.bundle import BundleDescription, Precision, Variant
from parkade_models.errors import ModelsError
from parkade_models.graph import prepare
from parkade_models.recipes import Calibration, Feeds, Recipe, quantize
from parkade_models.search.output import complete

_REQUIRES: Final = "x86-avx2"
_FLOAT32: Final = "folded, not quantized"


def run(name: str, build: Callable[[Path, Precision], str]) -> None:
    """Has *build* make the bundle in the folder given on the command line, and prints its digest."""
    parser = argparse.ArgumentParser(description=f"Build the bundle of {name}.")
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--precision", choices=["INT8", "FP32"], default="INT8")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # onnxruntime recommends the folding that was just done
    try:
        digest = build(arguments.out_dir, arguments.precision)
    except ModelsError as error:
        sys.exit(f"{name}: {error}")
    sys.stdout.write(f"{digest}\n")


def write(
    description: BundleDescription,
    model: Path,
    recipe: Recipe,
    feeds: Sequence[Feeds],
    out_dir: Path,
    precision: Precision,
) -> str:
    """Writes the bundle of the float32 file *model* and returns its digest. Raises BuildError.

    INT8 follows the recipe, calibrated by *feeds*. Files that the description mentions lie beside the model.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    file = f"model.{precision.lower()}.onnx"
    with TemporaryDirectory(prefix="parkade-build-") as scratch:
        folded = Path(scratch) / "folded.onnx" if precision == "INT8" else out_dir / file
        prepare(model, folded)
        if precision == "INT8":
            quantize(recipe, folded, out_dir / file, Calibration(folded, feeds, Path(scratch)))
    words = recipe.name if precision == "INT8" else _FLOAT32
    variant = Variant(precision=precision, file=file, requires=_REQUIRES, recipe=words)
    return complete(description, model.parent, out_dir, variant)
