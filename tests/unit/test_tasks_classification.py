"""Classification: the likeliest labels of a record, whatever shares its run, or a sentence that says why not."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from parkade_api.bundle import BytesInput, TensorInput, TensorOutput, TensorShape
from parkade_api.wellknown import RecordError
from parkade_models.bundle import Bundle
from parkade_models.errors import BadRecordError, BundleError
from parkade_models.tasks import open_task
from parkade_models.tasks.classification import ClassificationTask, probabilities
from support.models import graph, write_bundle

LABELS = ["gold", "silver", "bronze"]
SCORED = TensorOutput(tensor="scores", postprocess="softmax", labels="labels.txt")


def logarithms(rows: int | str = "n", kind: int = TensorProto.INT32, columns: int = 3) -> bytes:
    """A model whose scores are the logarithms of a record's bytes: their softmax is each byte's share of the sum."""
    inputs = [helper.make_tensor_value_info("x", kind, [rows, columns])]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [rows, columns])]
    cast = helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT)
    return graph([cast, helper.make_node("Log", ["f"], ["scores"])], inputs, outputs)


def bundle(
    folder: Path, model: bytes | None = None, labels: str = "gold\nsilver\nbronze\n", **fields: Any
) -> Bundle:
    """A classifier of three bytes."""
    described = BytesInput(kind="bytes", tensor="x", beginning=3, end=0, block=8, padding=0)
    folder.mkdir(exist_ok=True)
    (folder / "labels.txt").write_bytes(labels.encode())
    plain = {
        "task": "classification",
        "endpoint": "/v1/classifications",
        "input": described,
        "output": SCORED,
    }
    return write_bundle(folder, model or logarithms(), **plain | fields)


@pytest.fixture
def task(tmp_path: Path) -> ClassificationTask:
    """One label an answer, one record a run."""
    return ClassificationTask(bundle(tmp_path))


def body(*content: int) -> dict[str, str]:
    """A record's body."""
    return {"input": base64.b64encode(bytes(content)).decode()}


def test_the_likeliest_label_is_told(task: ClassificationTask) -> None:
    """An answer has the label, its probability as float32 and the model's name."""
    answer = task.answers([body(1, 5, 2)])[0]
    row = {"index": 0, "label": "silver", "probability": np.float32(0.625)}
    assert answer == {"object": "list", "data": [row], "model": "small"}


def test_the_top_labels_are_told(tmp_path: Path) -> None:
    """A manifest may ask for several labels; they come in order, and equal ones in the model's order."""
    task = ClassificationTask(bundle(tmp_path, output=SCORED.model_copy(update={"top": 3})))
    answer = task.answers([body(2, 4, 2)])[0]
    assert isinstance(answer, dict)
    assert [(row["label"], float(row["probability"])) for row in answer["data"][0]["top"]] == [
        ("silver", 0.5),
        ("gold", 0.25),
        ("bronze", 0.25),
    ]
    assert answer["data"][0]["label"] == "silver"


@pytest.mark.parametrize(
    ("broken", "code", "words"),
    [
        ({}, RecordError.BAD_REQUEST, "the content of one file in base64"),
        ({"input": "?"}, RecordError.BAD_REQUEST, "not base64"),
        ({"input": ""}, RecordError.BAD_REQUEST, "give at least one"),
        (body(1, 0, 2), RecordError.INFERENCE_FAILED, "a score that is no finite number"),
    ],
)
@pytest.mark.parametrize("rows", [1, 4])
def test_a_bad_record_fails_alone(
    tmp_path: Path, rows: int, broken: dict[str, Any], code: RecordError, words: str
) -> None:
    """A record that cannot be answered has a sentence; those beside it in the same call have their answers."""
    task = ClassificationTask(bundle(tmp_path, rowsPerRun=rows))
    assert task.rows_per_run == rows
    first, bad, last = task.answers([body(1, 5, 2), broken, body(1, 1, 2)])
    assert isinstance(bad, BadRecordError)
    assert bad.code is code
    assert words in bad.message
    assert [first, last] == task.answers([body(1, 5, 2)]) + task.answers([body(1, 1, 2)])


@pytest.mark.parametrize("rows", [1, 2, 8])
def test_infer_gives_a_row_for_each_element(tmp_path: Path, rows: int) -> None:
    """`input` takes contents as they are; label and probability have a row for each and a column for each label."""
    output = SCORED.model_copy(update={"top": 2})
    task = ClassificationTask(bundle(tmp_path, rowsPerRun=rows, output=output))
    contents = [bytes([1, 5, 2]), bytes([3, 1, 4]), bytes([6, 1, 1])]
    found = task.infer({"input": np.array(contents, np.object_)})
    assert found["label"].tolist() == [[b"silver", b"bronze"], [b"bronze", b"gold"], [b"gold", b"silver"]]
    assert found["probability"].dtype == np.float32
    assert found["probability"].tolist() == [[0.625, 0.25], [0.5, 0.375], [0.75, 0.125]]
    assert [spec.shape for spec in task.outputs] == [(-1, 2), (-1, 2)]
    nothing = task.infer({"input": np.array([], np.object_)})
    assert [array.shape for array in nothing.values()] == [(0, 2), (0, 2)]


def test_infer_names_the_element_at_fault(task: ClassificationTask) -> None:
    """One bad element of a call is named by its place."""
    with pytest.raises(BadRecordError, match=r"^input\[1\]: The model gave a score"):
        task.infer({"input": np.array([bytes([1, 1, 1]), bytes([1, 0, 1])], np.object_)})


@pytest.mark.parametrize(
    ("scores", "postprocess", "expected"),
    [
        ([0.1, 0.9], "none", [0.1, 0.9]),
        ([7.0, 7.0], "softmax", [0.5, 0.5]),
        ([1000.0, 0.0], "softmax", [1.0, 0.0]),
        ([-1000.0, -1000.0], "softmax", [0.5, 0.5]),
        ([3.4e38, -3.4e38], "softmax", [1.0, 0.0]),
    ],
)
def test_probabilities_are_exact_at_any_size(
    scores: list[float], postprocess: str, expected: list[float]
) -> None:
    """A softmax of huge scores neither overflows nor becomes a number that is none."""
    assert probabilities(np.array(scores), postprocess) == pytest.approx(expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_fails(bad: float) -> None:
    """NaN and infinity are no scores."""
    with pytest.raises(BadRecordError, match="no finite number"):
        probabilities(np.array([0.0, bad], np.float32), "softmax")


def test_without_labels_numbers_are_told(tmp_path: Path) -> None:
    """A bundle without a labels file names the place of the highest score."""
    task = ClassificationTask(bundle(tmp_path, output=TensorOutput(tensor="scores", postprocess="softmax")))
    answer = task.answers([body(1, 1, 9)])[0]
    assert isinstance(answer, dict)
    assert answer["data"][0]["label"] == "2"


TENSORS = TensorInput(kind="tensor", tensors=[TensorShape(name="x", datatype="INT32", shape=[1, 3])])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"output": None}, "needs an output whose postprocess is none or softmax"),
        ({"output": SCORED.model_copy(update={"postprocess": "l2"})}, "none or softmax"),
        (
            {"output": SCORED.model_copy(update={"tensor": "poem"})},
            r"gives \['scores'\], the manifest says poem",
        ),
        ({"output": SCORED.model_copy(update={"top": 4})}, "top 4 labels, the graph gives 3 scores"),
        ({"labels": "gold\nsilver\n"}, "labels.txt has 2 labels, the graph gives 3 scores"),
        ({"input": TENSORS}, "input has kind tensor; this task needs bytes or image"),
        ({"model": logarithms(columns=4)}, r"takes x as INT32 \[-1, 4\], the manifest says INT32 \[1, 3\]"),
        ({"model": logarithms(kind=TensorProto.INT64)}, "takes x as INT64"),
        ({"model": logarithms(rows=1), "rowsPerRun": 2}, r"rowsPerRun is 2, but tensor x has shape \[1, 3\]"),
    ],
)
def test_a_bundle_that_contradicts_itself_is_refused(
    tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    """Labels, graph and manifest must fit together; the sentence has both figures."""
    with pytest.raises(BundleError, match=words):
        open_task(bundle(tmp_path, **fields))


def test_labels_must_be_text(tmp_path: Path) -> None:
    """A labels file that is not UTF-8 is named."""
    (tmp_path / "bytes.txt").write_bytes(b"\xff\n\xff\n\xff\n")
    broken = bundle(tmp_path, output=SCORED.model_copy(update={"labels": "bytes.txt"}))
    with pytest.raises(BundleError, match=r"bytes\.txt is not UTF-8"):
        open_task(broken)
