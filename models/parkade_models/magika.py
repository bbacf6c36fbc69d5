"""`python -m parkade_models.magika OUT_DIR`: builds the bundle of magika, which tells 214 types of files apart.

Weights and labels come from the package that requirements/model.txt names. Magika's own client adds rules to what
the model says: files of fewer than 8 bytes are text or unknown without asking it, and below a threshold (0.5 for most
labels) the answer is text or unknown too. A bundle gives the model's label with its probability, so that whoever
reads the result can do the same.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import orjson

from parkade_api.bundle import SCHEMA, BundleDescription, BytesInput, Precision, TensorOutput
from parkade_models import building
from parkade_models.file_types import BLOCK, known_files
from parkade_models.recipes import Feeds, Method, Recipe, Scope
from parkade_models.sources import install
from parkade_models.tasks.inputs.bytes_input import BytesReader

NAME: Final = "magika"
_FOLDER: Final = "magika/models/standard_v3_3"
_CONFIG: Final = "config.min.json"
_LABELS: Final = "labels.txt"
_RECIPE: Final = Recipe(Method.MIN_MAX, Scope.CONV)
"""What a search finds: twice as fast as float32 and as right. With its two MatMuls in integers too it loses a tenth of
its answers and more, and quantized dynamically it is no faster."""

_CALIBRATION: Final = 4  # one file in so many

_INPUT: Final = BytesInput(kind="bytes", tensor="bytes", beginning=1024, end=1024, block=BLOCK, padding=256)
DESCRIPTION: Final = BundleDescription(
    schema=SCHEMA,
    name=NAME,
    version="3.3",
    license="Apache-2.0",
    source="google/magika standard_v3_3, from magika 1.0.3",
    task="classification",
    endpoint="/v1/classifications",
    input=_INPUT,
    output=TensorOutput(tensor="target_label", postprocess="none", labels=_LABELS),
)


def build(out_dir: Path, precision: Precision = "INT8") -> str:
    """Builds the bundle in *out_dir* and returns its digest. Raises BuildError."""
    packages = install()
    labels: list[str] = orjson.loads((packages / _FOLDER / _CONFIG).read_bytes())["target_labels_space"]
    with TemporaryDirectory(prefix="parkade-magika-") as scratch:
        model = Path(shutil.copy(packages / _FOLDER / "model.onnx", scratch))
        model.with_name(_LABELS).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
        if precision == "FP32":
            return building.write_float32(DESCRIPTION, model, out_dir)
        return building.write_int8(DESCRIPTION, model, _RECIPE, _calibration(packages), out_dir)


def _calibration(packages: Path) -> list[Feeds]:
    """Files of the packages themselves: the same on every machine, and none of them is a file to be judged by."""
    reader = BytesReader(_INPUT)
    files = known_files(packages)[::_CALIBRATION]
    return [{_INPUT.tensor: reader.row(file.content())} for file in files]


if __name__ == "__main__":
    building.run(build)
