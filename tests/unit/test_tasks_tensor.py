"""Arrays in and out: every datatype, checked against the manifest, and rows cut only where that was proved."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from parkade_api.bundle import BytesInput, TensorInput, TensorOutput, TensorShape
from parkade_api.wellknown import RecordError
from parkade_models.errors import BadRecordError, BundleError
from parkade_models.tasks import open_task
from parkade_models.tasks.task import Answer
from parkade_models.tasks.tensor import TensorTask
from support.models import echo, graph, write_bundle

KINDS = {
    "BOOL": (TensorProto.BOOL, [True, False]),
    "UINT8": (TensorProto.UINT8, [0, 255]),
    "UINT16": (TensorProto.UINT16, [0, 65535]),
    "UINT32": (TensorProto.UINT32, [0, 2**32 - 1]),
    "UINT64": (TensorProto.UINT64, [0, 2**64 - 1]),
    "INT8": (TensorProto.INT8, [-128, 127]),
    "INT16": (TensorProto.INT16, [-32768, 32767]),
    "INT32": (TensorProto.INT32, [-(2**31), 2**31 - 1]),
    "INT64": (TensorProto.INT64, [-(2**63), 2**63 - 1]),
    "FP16": (TensorProto.FLOAT16, [0.5, -65504]),
    "FP32": (TensorProto.FLOAT, [0.5, float("inf")]),
    "FP64": (TensorProto.DOUBLE, [0.1, float("nan")]),
    "BYTES": (TensorProto.STRING, ["", "é 漢 🚙"]),
}
DTYPES = {name: np.dtype(helper.tensor_dtype_to_np_dtype(kind)) for name, (kind, _) in KINDS.items()}


def body(**arrays: Any) -> dict[str, str]:
    """A record's body with these arrays."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return {"input": base64.b64encode(buffer.getvalue()).decode()}


def arrays_of(answer: Answer) -> dict[str, NDArray[Any]]:
    """The arrays of an answer, as NumPy reads them."""
    assert isinstance(answer, dict)
    with np.load(io.BytesIO(base64.b64decode(answer["data"])), allow_pickle=False) as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def every_type(tmp_path_factory: pytest.TempPathFactory) -> TensorTask:
    """A model that gives a tensor of every datatype back."""
    tensors = [(name.lower(), kind, ["n"]) for name, (kind, _) in KINDS.items()]
    return TensorTask(write_bundle(tmp_path_factory.mktemp("every"), echo(*tensors)))


def test_every_datatype_comes_through(every_type: TensorTask) -> None:
    """A record's arrays come back with their type and every value, extremes, NaN and Unicode included."""
    given_arrays = {
        name.lower(): np.array(values, np.str_ if name == "BYTES" else DTYPES[name])
        for name, (_, values) in KINDS.items()
    }
    answer = every_type.answers([body(**given_arrays)])[0]
    found = arrays_of(answer)
    assert found.keys() == {f"{name}_out" for name in given_arrays}
    for name, array in given_arrays.items():
        np.testing.assert_array_equal(found[f"{name}_out"], array)
        assert found[f"{name}_out"].dtype == array.dtype


def test_infer_takes_and_gives_the_graph_tensors(every_type: TensorTask) -> None:
    """Over the Open Inference Protocol tensors are arrays, and elements of BYTES are bytes both ways."""
    feeds: dict[str, NDArray[Any]] = {
        name.lower(): np.zeros(3, dtype) for name, dtype in DTYPES.items() if name != "BYTES"
    }
    texts = np.array([b"", "é".encode(), b"a\x00b"], np.object_)
    found = every_type.infer(feeds | {"bytes": texts})
    assert found["bytes_out"].tolist() == texts.tolist()
    assert {name: array.dtype for name, array in found.items() if name != "bytes_out"} == {
        f"{name}_out": array.dtype for name, array in feeds.items()
    }
    broken = np.array([b"\xff"] * 3, np.object_)
    with pytest.raises(BadRecordError, match="Input bytes holds an element that is not UTF-8"):
        every_type.infer(feeds | {"bytes": broken})


def test_an_answer_is_the_same_bytes(every_type: TensorTask) -> None:
    """The same record gives the same answer, byte for byte: no time of writing is in it."""
    arrays = {name.lower(): np.zeros(2, "U1" if name == "BYTES" else dtype) for name, dtype in DTYPES.items()}
    first, second = every_type.answers([body(**arrays), body(**arrays)])
    assert first == second
    assert isinstance(first, dict)
    assert first["object"] == "tensors"
    assert first["model"] == "small"


def test_fortran_order_and_bytes_are_read(tmp_path: Path) -> None:
    """Arrays that NumPy wrote column by column, and texts as UTF-8 bytes, mean what they mean to NumPy."""
    model = echo(("x", TensorProto.FLOAT, [2, "n"]), ("s", TensorProto.STRING, []))
    task = TensorTask(write_bundle(tmp_path, model))
    x = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    found = arrays_of(task.answers([body(x=x, s=np.array("é".encode()))])[0])
    np.testing.assert_array_equal(found["x_out"], x)
    assert found["s_out"] == "é"


def table(rows: int | str = "n") -> bytes:
    """A model that looks up each row's number in a table of three, and cannot run on any other number."""
    values = numpy_helper.from_array(np.array([[10.0], [20.0], [30.0]], np.float32), "table")
    inputs = [helper.make_tensor_value_info("x", TensorProto.INT64, [rows])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, 1])]
    return graph([helper.make_node("Gather", ["table", "x"], ["y"])], inputs, outputs, initializer=[values])


def number(*values: int) -> dict[str, str]:
    """A record with those rows."""
    return body(x=np.array(values, np.int64))


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_bad_record_fails_alone(tmp_path: Path, rows: int) -> None:
    """A record that is none, or that the model cannot run on, fails; its neighbours have the answers of their own."""
    task = TensorTask(write_bundle(tmp_path, table(), rowsPerRun=rows))
    found = task.answers([number(2), {"input": "?"}, number(7), number(0), number(1, 2, 0, 1, 2)])
    assert [answer.code for answer in found if isinstance(answer, BadRecordError)] == [
        RecordError.BAD_REQUEST,
        RecordError.INFERENCE_FAILED,
    ]
    good = [arrays_of(answer)["y"].ravel().tolist() for answer in (found[0], found[3], found[4])]
    assert good == [[30.0], [10.0], [20.0, 30.0, 10.0, 20.0, 30.0]]


def test_records_of_one_row_share_runs_only_where_that_was_proved(tmp_path: Path) -> None:
    """With rowsPerRun 4 six records are two runs; with 1 they are six."""
    for rows, expected in ((4, [4, 2]), (1, [1] * 6)):
        task = TensorTask(write_bundle(tmp_path / str(rows), table(), rowsPerRun=rows))
        seen: list[int] = []
        task.session.observe = lambda feeds, seen=seen: seen.append(len(feeds["x"]))  # type: ignore[misc]
        answers = task.answers([number(at % 3) for at in range(6)])
        assert [arrays_of(answer)["y"].item() for answer in answers] == [10, 20, 30] * 2
        assert seen == expected


def test_a_call_is_cut_only_where_that_was_proved(tmp_path: Path) -> None:
    """Without a proof the rows of a call belong together: they may be a sequence."""
    for rows, expected in ((2, [2, 2, 1]), (1, [5])):
        task = TensorTask(write_bundle(tmp_path / str(rows), table(), rowsPerRun=rows))
        seen: list[int] = []
        task.session.observe = lambda feeds, seen=seen: seen.append(len(feeds["x"]))  # type: ignore[misc]
        found = task.infer({"x": np.array([0, 1, 2, 0, 1])})
        assert found["y"].ravel().tolist() == [10, 20, 30, 10, 20]
        assert seen == expected


def test_a_model_that_gives_another_number_of_rows_fails(tmp_path: Path) -> None:
    """A bundle that was proved wrongly does not hand one record's rows to another: each is run by itself."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["m"])]
    model = graph([helper.make_node("Unique", ["x"], ["y"])], inputs, outputs)
    task = TensorTask(write_bundle(tmp_path, model, rowsPerRun=4))
    answers = task.answers([body(x=np.array([7], np.float32))] * 2)
    assert [arrays_of(answer)["y"].tolist() for answer in answers] == [[7.0], [7.0]]


def test_rows_of_inputs_must_agree(tmp_path: Path) -> None:
    """Inputs of a call that is cut must have the same number of rows."""
    model = echo(("a", TensorProto.FLOAT, ["n"]), ("b", TensorProto.FLOAT, ["m"]))
    task = TensorTask(write_bundle(tmp_path, model, rowsPerRun=2))
    with pytest.raises(BadRecordError, match=r"have \[2, 3\] rows"):
        task.infer({"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)})


def test_one_output_may_be_chosen(tmp_path: Path) -> None:
    """A manifest that names an output leaves the others out."""
    model = echo(("a", TensorProto.FLOAT, [1]), ("b", TensorProto.FLOAT, [1]))
    task = TensorTask(write_bundle(tmp_path, model, output=TensorOutput(tensor="b_out", postprocess="none")))
    assert [spec.name for spec in task.outputs] == ["b_out"]
    one = np.ones(1, np.float32)
    assert arrays_of(task.answers([body(a=one, b=one)])[0]).keys() == {"b_out"}


def shapes(*tensors: tuple[str, Any, list[int]]) -> TensorInput:
    """What a manifest says of its tensors."""
    found = [TensorShape(name=name, datatype=datatype, shape=shape) for name, datatype, shape in tensors]
    return TensorInput(kind="tensor", tensors=found)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"input": shapes(("y", "INT64", [-1]))}, r"the graph takes \['x'\], the manifest says \['y'\]"),
        ({"input": shapes(("x", "INT32", [-1]))}, r"takes x as INT64 \[-1\], the manifest says INT32 \[-1\]"),
        ({"input": shapes(("x", "INT64", [-1, 1]))}, r"the manifest says INT64 \[-1, 1\]"),
        (
            {"input": shapes(("x", "INT64", [3])), "rowsPerRun": 2},
            r"rowsPerRun is 2, but tensor x has shape \[3\]",
        ),
        ({"output": TensorOutput(tensor="y", postprocess="l2")}, "postprocess l2; task tensor needs none"),
        (
            {"output": TensorOutput(tensor="z", postprocess="none")},
            r"the graph gives \['y'\], the manifest says z",
        ),
        (
            {"input": BytesInput(kind="bytes", tensor="x", beginning=1, end=0, block=1, padding=0)},
            "kind bytes; task tensor needs tensor",
        ),
    ],
)
def test_a_manifest_that_contradicts_the_graph_is_refused(
    tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    """The sentence has what the graph takes and what the manifest says."""
    with pytest.raises(BundleError, match=words):
        open_task(write_bundle(tmp_path, table(), **fields))


def test_a_manifest_may_narrow_a_shape(tmp_path: Path) -> None:
    """Where the graph takes any size, a manifest may ask for one."""
    task = TensorTask(write_bundle(tmp_path, table(), input=shapes(("x", "INT64", [2]))))
    assert arrays_of(task.answers([number(0, 1)])[0])["y"].ravel().tolist() == [10.0, 20.0]
    assert isinstance(task.answers([number(0)])[0], BadRecordError)


def test_warm_up_takes_any_model(tmp_path: Path) -> None:
    """A model that cannot run on zeros is warmed up without a word; its records are answered."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "n"])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["m"])]
    shape = numpy_helper.from_array(np.array([4], np.int64), "shape")
    model = graph([helper.make_node("Reshape", ["x", "shape"], ["y"])], inputs, outputs, initializer=[shape])
    task = TensorTask(write_bundle(tmp_path, model))
    task.warm_up()
    four = task.answers([body(x=np.ones((2, 2), np.float32))])[0]
    assert arrays_of(four)["y"].tolist() == [1.0] * 4
