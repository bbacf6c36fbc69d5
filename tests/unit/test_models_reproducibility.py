"""The class is the same for the same computing, and another when one bit of one answer is another."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from onnx import TensorProto

from parkade_api.wellknown import RecordError
from parkade_models.bundle import Bundle
from parkade_models.errors import BadRecordError, BundleError
from parkade_models.reproducibility import reproducibility_class
from parkade_models.tasks.embedding import EmbeddingTask
from parkade_models.tasks.task import Answer
from parkade_models.tasks.tensor import TensorTask
from support.models import echo, write_bundle
from support.shards import echo_records


class Other(EmbeddingTask):
    """A vehicle whose CPU rounds one number of one answer another way, or that cannot answer it at all."""

    def __init__(self, bundle: Bundle, change: str) -> None:
        super().__init__(bundle)
        self._change = change

    def answers(self, bodies: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """The model's answers with one change."""
        (answer,) = super().answers(bodies)
        if self._change == "refuse" and bodies[0]["input"] == "second":
            return [BadRecordError(RecordError.INFERENCE_FAILED, "no")]
        if self._change == "round" and not isinstance(answer, BadRecordError):
            vector = answer["data"][0]["embedding"]
            vector[7] = np.nextafter(vector[7], np.float32(2))
        return [answer]


class Neighbourly(TensorTask):
    """A vehicle whose kernels give another answer for a record that has neighbours in its run."""

    def answers(self, bodies: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """The model's answers, of which the first is another when it is not alone."""
        first, *others = super().answers(bodies)
        return [{"data": "other"} if others else first, *others]


def with_vectors(bundle: Bundle, folder: Path, raw: bytes) -> Bundle:
    """The bundle with other vectors, beside links to its own files."""
    for entry in bundle.manifest.files:
        if entry.name != "vectors.jsonl":
            (folder / entry.name).symlink_to(bundle.folder / entry.name)
    (folder / "vectors.jsonl").write_bytes(raw)
    files = [entry for entry in bundle.manifest.files if entry.name != "vectors.jsonl"]
    files.append(files[0].model_copy(update={"name": "vectors.jsonl"}))
    manifest = bundle.manifest.model_copy(update={"vectors": "vectors.jsonl", "files": files})
    return dataclasses.replace(bundle, folder=folder, manifest=manifest)


@pytest.fixture
def bundle(int8_bundle: Bundle, tmp_path: Path) -> Bundle:
    """MiniLM with three vectors, one of them no text."""
    return with_vectors(int8_bundle, tmp_path, b'{"input": "first"}\n{"input": "second"}\n{"input": ""}\n')


def test_the_same_vehicle_has_the_same_class(bundle: Bundle) -> None:
    """Two loads of one bundle give one class of 16 hex digits."""
    first, second = (reproducibility_class(bundle, EmbeddingTask(bundle)) for _ in range(2))
    assert first == second
    assert len(first) == 16
    assert int(first, 16) >= 0


@pytest.mark.parametrize("change", ["round", "refuse"])
def test_another_answer_is_another_class(bundle: Bundle, change: str) -> None:
    """One bit of one number, or one record that fails, is enough."""
    own = reproducibility_class(bundle, EmbeddingTask(bundle))
    assert reproducibility_class(bundle, Other(bundle, change)) != own
    assert reproducibility_class(bundle, Other(bundle, "nothing")) == own


def test_another_bundle_is_another_class(bundle: Bundle) -> None:
    """Classes of different bundles are never equal."""
    other = dataclasses.replace(bundle, digest="sha256:" + "0" * 64)
    task = EmbeddingTask(bundle)
    assert reproducibility_class(other, task) != reproducibility_class(bundle, task)


@pytest.mark.parametrize(("rows_per_run", "classes"), [(1, 1), (2, 2), (8, 2)])
def test_answers_that_depend_on_neighbours_are_another_class(
    tmp_path: Path, rows_per_run: int, classes: int
) -> None:
    """Where a shard's records are run together, the vectors are, too: a vehicle that then differs is found."""
    lines = [orjson.dumps(record.body) for record in echo_records(3)]
    (tmp_path / "vectors.jsonl").write_bytes(b"\n".join(lines))
    model = echo(("x", TensorProto.FLOAT, ["rows", 4]))
    bundle = write_bundle(tmp_path, model, rowsPerRun=rows_per_run, vectors="vectors.jsonl")
    tasks = (TensorTask(bundle), Neighbourly(bundle))
    assert len({reproducibility_class(bundle, task) for task in tasks}) == classes


def test_without_vectors_there_is_no_class(bundle: Bundle) -> None:
    """A bundle need not have vectors."""
    manifest = bundle.manifest.model_copy(update={"vectors": None})
    bare = dataclasses.replace(bundle, manifest=manifest)
    assert reproducibility_class(bare, EmbeddingTask(bundle)) == ""


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "has 0 lines"),
        (b"{}\n" * 33, "has 33 lines"),
        (b'{"input": "a"}\nno\n', "line 2 of vectors.jsonl is not JSON"),
        (b"[1]\n", "line 1 of vectors.jsonl is not an object"),
    ],
)
def test_bad_vectors_are_refused(int8_bundle: Bundle, tmp_path: Path, raw: bytes, sentence: str) -> None:
    """Vectors that are no request bodies make the bundle unusable, and the line is named."""
    bundle = with_vectors(int8_bundle, tmp_path, raw)
    task = EmbeddingTask(bundle)
    with pytest.raises(BundleError, match=sentence):
        reproducibility_class(bundle, task)
