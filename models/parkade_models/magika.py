"""`python -m parkade_models.magika OUT_DIR`: builds the bundle of magika, which tells 214 types of files apart.

Weights and labels come from the package that requirements/model.txt names. Magika's own client adds rules to what
the model says: files of fewer than 8 bytes are text or unknown without asking it, and below a threshold (0.5 for most
labels) the answer is text or unknown too. A bundle gives the model's label with its probability, so that whoever
reads the result can do the same.

How it is quantized was decided by a search, which `--search` runs again, over other files of whatever machine it runs
on: magika_search.json holds its decision and the figures of all candidates.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import orjson

from parkade_api.bundle import SCHEMA, BundleDescription, BytesInput, Precision, TensorOutput
from parkade_models import building, sources
from parkade_models.file_types import BLOCK, KnownFile, examples, known_files
from parkade_models.search.evaluation import Example, sharing_nothing
from parkade_models.search.request import Request

NAME: Final = "magika"
_READER: Final = "tasks/inputs/bytes_input.py"
_FOLDER: Final = "magika/models/standard_v3_3"
_CONFIG: Final = "config.min.json"
_LABELS: Final = "labels.txt"
SEARCH_FILE: Final = Path(__file__).with_name("magika_search.json")
"""What the search for the recipe found: the decision, and the report on all candidates."""

_CALIBRATION: Final = 4  # one file in so many
_LONGEST_VECTOR: Final = 4 << 10  # bytes; vectors travel in the bundle

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


def source_digest() -> str:
    """Short hex digest of everything that this bundle is made of."""
    return sources.source_digest("magika.py", "file_types.py", _READER, SEARCH_FILE.name)


def build(out_dir: Path, precision: Precision = "INT8") -> str:
    """Builds the bundle in *out_dir* and returns the digest. Raises BuildError."""
    with _sources() as model:
        if precision == "FP32":
            return building.write_float32(DESCRIPTION, model, out_dir)
        decision, calibration = building.decision_in(SEARCH_FILE), _calibration()
        return building.write_int8(DESCRIPTION, model, decision, calibration, out_dir)


def decide() -> None:
    """Searches the recipe on files of this machine, of which none calibrates and none travels in the bundle."""
    calibration = _calibration()
    evaluation = sharing_nothing(examples(known_files()), calibration)
    with _sources() as model:
        request = Request(model, DESCRIPTION, model.parent, evaluation, calibration, vectors=_vectors())
        building.decide(request, SEARCH_FILE)


@contextmanager
def _sources() -> Iterator[Path]:
    """The float32 model with its labels beside it."""
    packages = sources.install()
    labels: list[str] = orjson.loads((packages / _FOLDER / _CONFIG).read_bytes())["target_labels_space"]
    with TemporaryDirectory(prefix="parkade-magika-") as scratch:
        model = Path(shutil.copy(packages / _FOLDER / "model.onnx", scratch))
        model.with_name(_LABELS).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
        yield model


def _calibration() -> list[Example]:
    return examples(_files_of_packages()[::_CALIBRATION])


def _vectors() -> list[Example]:
    """The smallest file of each kind."""
    sizes = {file: file.path.stat().st_size for file in _files_of_packages()}
    small = sorted((file for file in sizes if sizes[file] <= _LONGEST_VECTOR), key=sizes.__getitem__)
    return examples({file.label: file for file in reversed(small)}.values())


def _files_of_packages() -> list[KnownFile]:
    """Files of the locked packages, the same on every machine."""
    return known_files(sources.install())


if __name__ == "__main__":
    building.run(build, decide)
