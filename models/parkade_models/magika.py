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
from parkade_models.recipes import Method, Recipe, Scope
from parkade_models.sources import install

NAME: Final = "magika"
BLOCK: Final = 4096
"""Bytes at either end of a file that the model's row is made of."""

_FOLDER: Final = "magika/models/standard_v3_3"
_CONFIG: Final = "config.min.json"
_LABELS: Final = "labels.txt"
_RECIPE: Final = Recipe(Method.DYNAMIC, Scope.MATMUL)
"""The Conv stays in float32: in integers it is slower here, and wrong more often."""

DESCRIPTION: Final = BundleDescription(
    schema=SCHEMA,
    name=NAME,
    version="3.3",
    license="Apache-2.0",
    source="google/magika standard_v3_3, from magika 1.0.3",
    task="classification",
    endpoint="/v1/classifications",
    input=BytesInput(kind="bytes", tensor="bytes", beginning=1024, end=1024, block=BLOCK, padding=256),
    output=TensorOutput(tensor="target_label", postprocess="none", labels=_LABELS),
)


def build(out_dir: Path, precision: Precision = "INT8") -> str:
    """Builds the bundle in *out_dir* and returns its digest. Raises BuildError."""
    package = install() / _FOLDER
    labels: list[str] = orjson.loads((package / _CONFIG).read_bytes())["target_labels_space"]
    with TemporaryDirectory(prefix="parkade-magika-") as scratch:
        model = Path(shutil.copy(package / "model.onnx", scratch))
        model.with_name(_LABELS).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
        return building.write(DESCRIPTION, model, _RECIPE, [], out_dir, precision)


if __name__ == "__main__":
    building.run(NAME, build)
