"""Tensors of the Open Inference Protocol: raw and typed contents mean the same, and wrong ones are named."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_agent.sidecar.errors import BadTensorError
from parkade_agent.sidecar.tensors import check_outputs, read_inputs, write_outputs
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_models.tasks.task import TensorSpec

TEXT = TensorSpec("text", "BYTES", (-1,))
IDS = TensorSpec("ids", "INT64", (1, -1))
VECTOR = TensorSpec("vector", "FP32", (-1, 3))


def _raw_bytes(items: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(item)) + item for item in items)


def _request(
    spec: TensorSpec, shape: list[int], raw: bytes | None = None, **contents: list[object]
) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name="m", id="7")
    tensor = request.inputs.add(name=spec.name, datatype=spec.datatype, shape=shape)
    for field, values in contents.items():
        getattr(tensor.contents, field).extend(values)
    if raw is not None:
        request.raw_input_contents.append(raw)
    return request


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_bytes_raw_and_typed_are_the_same(items: list[bytes]) -> None:
    """Any byte strings arrive unchanged both ways."""
    raw = read_inputs(_request(TEXT, [len(items)], _raw_bytes(items)), [TEXT])
    typed = read_inputs(_request(TEXT, [len(items)], bytes_contents=list(items)), [TEXT])
    assert list(raw["text"]) == list(typed["text"]) == items


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=8))
def test_integers_raw_and_typed_are_the_same(values: list[int]) -> None:
    """Any INT64 values arrive unchanged both ways, in the shape that was asked for."""
    shape = [1, len(values)]
    raw = read_inputs(_request(IDS, shape, np.array(values, "<i8").tobytes()), [IDS])
    typed = read_inputs(_request(IDS, shape, int64_contents=list(values)), [IDS])
    assert raw["ids"].tolist() == typed["ids"].tolist() == [values]


def _renamed(name: str) -> oip.ModelInferRequest:
    return _request(TensorSpec(name, "BYTES", (-1,)), [0])


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (oip.ModelInferRequest(), "input text is missing"),
        (_renamed("txet"), "input txet is not expected; the model takes text"),
        (_request(TensorSpec("text", "FP32", (-1,)), [0]), "input text is FP32, expected BYTES"),
        (_request(TEXT, [1, 1], bytes_contents=[b"a"]), r"has shape \[1, 1\], expected \[-1\]"),
        (_request(TEXT, [-1], bytes_contents=[b"a"]), r"has shape \[-1\], expected"),
        (_request(TEXT, [2], bytes_contents=[b"a"]), r"has 1 elements for shape \[2\]"),
        (_request(TEXT, [2**62], bytes_contents=[b"a"]), "has 1 elements for shape"),
        (_request(TEXT, [1], b"\x05\x00\x00\x00abc"), "the BYTES element at byte 0 is cut short"),
        (_request(TEXT, [1], b"\x01"), "the BYTES element at byte 0 is cut short"),
        (_request(TEXT, [1], b"\xff\xff\xff\xffa"), "cut short"),
    ],
)
def test_wrong_inputs_are_named(request_: oip.ModelInferRequest, sentence: str) -> None:
    """What does not fit the model is refused with a sentence that names the tensor and what is expected."""
    with pytest.raises(BadTensorError, match=sentence):
        read_inputs(request_, [TEXT])


def test_broken_raw_contents_are_refused() -> None:
    """Raw contents must be whole elements and one entry an input."""
    with pytest.raises(BadTensorError, match="no whole number of elements"):
        read_inputs(_request(IDS, [1, 1], b"1234567"), [IDS])
    request = _request(TEXT, [0], b"")
    request.raw_input_contents.append(b"")
    with pytest.raises(BadTensorError, match="raw_input_contents has 2 entries for 1 inputs"):
        read_inputs(request, [TEXT])


def test_answer_is_raw_when_the_question_was() -> None:
    """A raw request gets raw outputs, a typed one typed, both the same numbers."""
    vectors = {"vector": np.arange(6, dtype=np.float32).reshape(2, 3)}
    raw = write_outputs(_request(TEXT, [0], b""), vectors, [VECTOR])
    typed = write_outputs(_request(TEXT, [0]), vectors, [VECTOR])
    assert np.frombuffer(raw.raw_output_contents[0], "<f4").tolist() == list(
        typed.outputs[0].contents.fp32_contents
    )
    assert list(raw.outputs[0].shape) == list(typed.outputs[0].shape) == [2, 3]
    assert not raw.outputs[0].HasField("contents")
    assert (raw.id, raw.model_name) == ("7", "m")


def test_unknown_output_is_refused() -> None:
    """An output that the model does not have is named with those that it has."""
    request = _request(TEXT, [0])
    request.outputs.add(name="poem")
    with pytest.raises(BadTensorError, match="output poem is not known; the model gives vector"):
        check_outputs(request, [VECTOR])
