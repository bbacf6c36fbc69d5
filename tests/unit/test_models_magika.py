"""Files end to end: magika tells the types of files of this machine, in INT8 as in float32."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from parkade_models import magika
from parkade_models.building import decision_in
from parkade_models.bundle import Bundle
from parkade_models.file_types import KnownFile, examples, known_files
from parkade_models.tasks import open_task
from support.bundles import MAGIKA, cached, check_decided

pytestmark = pytest.mark.long(20)

RIGHT = 0.95
GATE = 0.99  # of float32's accuracy


@pytest.fixture(scope="module")
def files() -> list[KnownFile]:
    """Files of this machine whose type is known."""
    return known_files()


def told(bundle: Bundle, files: list[KnownFile]) -> float:
    """The share of files whose type the bundle tells rightly."""
    answers = open_task(bundle).answers([body for example in examples(files) for body in example.bodies()])
    found = [answer["data"][0]["label"] for answer in answers if isinstance(answer, dict)]
    assert len(found) == len(files)
    return sum(label == file.label for label, file in zip(found, files, strict=True)) / len(files)


def test_types_of_files_are_told(magika_bundle: Bundle, files: list[KnownFile]) -> None:
    """At least 95 % of 200 and more files of six and more types are told rightly, and INT8 keeps 99 % of float32's."""
    kinds = Counter(file.label for file in files)
    assert len(files) >= 200
    assert sum(count >= 10 for count in kinds.values()) >= 6
    int8 = told(magika_bundle, files)
    assert int8 >= RIGHT
    assert int8 >= GATE * told(cached(MAGIKA, "FP32"), files)


def test_bundle_is_the_recorded_decision(magika_bundle: Bundle) -> None:
    """What the search settled is what the bundle states; on a CPU that gives another file, no figures of this one."""
    check_decided(magika_bundle, decision_in(magika.SEARCH_FILE))


def test_both_ends_of_a_file_stand_for_all_of_it(magika_bundle: Bundle, tmp_path: Path) -> None:
    """A long file of which only the ends are sent gets the answer that the whole file gets."""
    path = tmp_path / "long.py"
    path.write_text("# A long program.\n" + "print('vehicle')\n" * 5000)
    file = KnownFile(path, "python")
    task = open_task(magika_bundle)
    whole, ends = path.read_bytes(), file.content()
    assert len(ends) == 2 * magika.BLOCK < len(whole)
    row = task._reader.row  # type: ignore[attr-defined]
    assert (row(whole) == row(ends)).all()


def test_labels_are_those_of_the_model(magika_bundle: Bundle) -> None:
    """The bundle names 214 types, in the order of the model's scores."""
    output = magika_bundle.manifest.output
    assert output is not None
    assert output.labels is not None
    labels = magika_bundle.path(output.labels).read_text().splitlines()
    assert len(set(labels)) == 214
    assert labels == sorted(labels)


def test_building_again_gives_the_same_digest(magika_bundle: Bundle, tmp_path: Path) -> None:
    """The same packages and tools give the same bytes; the command prints the digest and nothing else."""
    command = [sys.executable, "-m", "parkade_models.magika", str(tmp_path / "again")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{magika_bundle.digest}\n"
