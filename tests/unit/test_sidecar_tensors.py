"""Tensors of the Open Inference Protocol: every datatype, raw and typed; outputs as asked; the largest request."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from parkade_agent.sidecar.datatypes import DATATYPES, to_raw
from parkade_agent.sidecar.errors import BadTensorError
from parkade_agent.sidecar.limits import message_limit
from parkade_agent.sidecar.tensors import read_inputs, wanted_outputs, write_outputs
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_models.session import TensorSpec

TYPED = sorted(name for name, datatype in DATATYPES.items() if datatype.contents)
TEXT = TensorSpec("text", "BYTES", (-1,))
VECTOR = TensorSpec("vector", "FP32", (-1, 3))
_MIB = 1 << 20
HALF = TensorSpec("half", "FP16", (-1, 3))


def _request(datatype: str, values: NDArray[Any], *, is_raw: bool) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name="m", id="7")
    tensor = request.inputs.add(name="x", datatype=datatype, shape=values.shape)
    if is_raw:
        request.raw_input_contents.append(to_raw(values))
    else:
        getattr(tensor.contents, str(DATATYPES[datatype].contents)).extend(values.reshape(-1).tolist())
    return request


def _values(data: st.DataObject, datatype: str) -> NDArray[Any]:
    dtype = DATATYPES[datatype].dtype
    if datatype == "BYTES":
        return np.array(data.draw(st.lists(st.binary(max_size=20), max_size=8)), np.object_)
    raw = data.draw(st.lists(st.binary(min_size=dtype.itemsize, max_size=dtype.itemsize), max_size=8))
    if datatype == "BOOL":
        return np.array([value[0] % 2 for value in raw], dtype)
    return np.frombuffer(b"".join(raw), dtype)


@pytest.mark.parametrize("datatype", sorted(DATATYPES))
@given(data=st.data())
def test_every_value_arrives_unchanged(datatype: str, data: st.DataObject) -> None:
    """Raw or typed, any elements of any datatype arrive in the shape that the request says, NaN included."""
    values = _values(data, datatype).reshape(1, -1)
    for is_raw in (True, False) if datatype in TYPED else (True,):
        spec = TensorSpec("x", datatype, (1, -1))
        found = read_inputs(_request(datatype, values, is_raw=is_raw), [spec])["x"]
        assert (found.shape, found.dtype) == (values.shape, values.dtype)
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("datatype", sorted(DATATYPES))
@given(data=st.data())
def test_every_value_leaves_unchanged(datatype: str, data: st.DataObject) -> None:
    """An answer holds the numbers of the model, raw when the question was raw and typed when it was typed."""
    values = _values(data, datatype).reshape(1, -1)
    spec = TensorSpec("x", datatype, (1, -1))
    for is_raw in (True, False) if datatype in TYPED else (True,):
        request = _request(datatype, values, is_raw=is_raw)
        response = write_outputs(request, {"x": values}, [spec])
        assert list(response.raw_output_contents) == list(request.raw_input_contents)
        assert response.outputs[0].contents == request.inputs[0].contents
        assert list(response.outputs[0].shape) == [1, values.size]
        assert (response.id, response.model_name) == ("7", "m")


def test_raw_numbers_are_not_copied() -> None:
    """The array of a raw input is a view of the request's bytes."""
    values = np.arange(6, dtype=np.float32).reshape(1, 6)
    request = _request("FP32", values, is_raw=True)
    assert not read_inputs(request, [TensorSpec("x", "FP32", (1, -1))])["x"].flags.owndata


def test_what_can_only_be_raw_makes_the_answer_raw() -> None:
    """FP16 has no typed field, so a typed request for it and another output gets both raw."""
    request = _request("BYTES", np.array([b"a"], np.object_), is_raw=False)
    tensors = {"vector": np.ones((1, 3), np.float32), "half": np.ones((1, 3), np.float16)}
    response = write_outputs(request, tensors, [VECTOR, HALF])
    assert list(response.raw_output_contents) == [struct.pack("<3f", 1, 1, 1), struct.pack("<3e", 1, 1, 1)]
    assert not any(output.HasField("contents") for output in response.outputs)


@pytest.mark.parametrize(
    ("asked", "given_"),
    [([], ["vector", "half"]), (["half"], ["half"]), (["half", "vector"], ["half", "vector"])],
)
def test_outputs_come_in_the_order_that_was_asked(asked: list[str], given_: list[str]) -> None:
    """A request names outputs in its own order; one that names none gets all in the model's order."""
    request = oip.ModelInferRequest()
    for name in asked:
        request.outputs.add(name=name)
    assert [spec.name for spec in wanted_outputs(request, [VECTOR, HALF])] == given_


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["poem"], "output 'poem' is not known; the model gives vector, half"),
        (["half", "half"], "output half is given twice"),
        (["x" * 10_000], r"output 'x+\.\.\.x+' is not known"),
    ],
)
def test_wrong_outputs_are_named(asked: list[str], sentence: str) -> None:
    """An output that the model does not have, or that is asked for twice, is refused by name."""
    request = oip.ModelInferRequest()
    for name in asked:
        request.outputs.add(name=name)
    with pytest.raises(BadTensorError, match=sentence):
        wanted_outputs(request, [VECTOR, HALF])


@pytest.mark.parametrize(
    ("specs", "limit"),
    [
        ([], 4 * _MIB),
        ([TensorSpec("ids", "INT64", (1, -1))], 4 * _MIB),
        ([TensorSpec("text", "BYTES", (-1,))], 64 * _MIB),
        ([TensorSpec("text", "BYTES", (-1,)), TensorSpec("photo", "BYTES", (-1,))], 128 * _MIB),
        ([TensorSpec("image", "FP32", (-1, 3, 224, 224))], 64 * 3 * 224 * 224 * 4),
        ([TensorSpec("image", "UINT8", (-1, 3, 224, 224))], 64 * 3 * 224 * 224),
        ([TensorSpec("image", "FP32", (-1, 3, -1, -1))], 256 * _MIB),
        ([TensorSpec("scan", "FP32", (1, 100, 1024, 1024))], 400 * _MIB),
        ([TensorSpec("scan", "FP64", (1, 4096, 1024, 1024))], (1 << 31) - 1 - (64 << 10)),
        ([TensorSpec("nothing", "FP32", (-1, 0))], 4 * _MIB),
    ],
)
def test_message_limit_fits_the_model(specs: Sequence[TensorSpec], limit: int) -> None:
    """Sixty-four rows fit, gRPC's usual 4 MiB at least and 256 MiB at most, and always a row of fixed size."""
    assert message_limit(specs) == limit + (64 << 10)
