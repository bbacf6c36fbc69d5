"""Malformed requests of the Open Inference Protocol, each with the status and the words that it must get."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import grpc

from parkade_agent.sidecar.datatypes import DATATYPES
from parkade_agent.sidecar.limits import message_limit
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_models.session import TensorSpec
from support.inference import NAME, SPECS, TYPED_SPECS, raw_request, typed_request

_INVALID: Final = grpc.StatusCode.INVALID_ARGUMENT
_HUGE: Final = 1 << 62
_NARROW: Final = {
    "INT8": (-129, 128),
    "INT16": (-32_769, 32_768),
    "UINT8": (256, 1 << 31),
    "UINT16": (65_536,),
}


@dataclass(frozen=True)
class Malformed:
    """One request as bytes, and what must be answered: *words* stand in the message."""

    name: str
    raw: bytes
    words: str
    code: grpc.StatusCode = _INVALID


def malformed_requests() -> Iterator[Malformed]:
    """The whole corpus; names are unique."""
    for spec in SPECS:
        yield from _wrong_descriptions(spec)
        yield from _wrong_raw_contents(spec)
        yield from _wrong_typed_contents(spec)
    yield from _wrong_values()
    yield from _wrong_bytes_elements()
    yield from _wrong_inputs()
    yield from _wrong_outputs_and_parameters()
    yield from _wrong_models()
    yield from _no_messages()


def _case(name: str, request: oip.ModelInferRequest, words: str, **fields: Any) -> Malformed:
    return Malformed(name, request.SerializeToString(), words, **fields)


def _wrong_descriptions(spec: TensorSpec) -> Iterator[Malformed]:
    at, wanted = SPECS.index(spec), f"expected {list(spec.shape)}"
    for shape in ([], [4], [2, 2, 1], [-2, -2], [-1, 2], [2, -1]):
        request = _shaped(at, shape)
        yield _case(f"{spec.name} of shape {shape}", request, f"{spec.name} has shape {shape}, {wanted}")
    if spec.shape[1] != -1:
        yield _case(f"{spec.name} too wide", _shaped(at, [1, 4]), f"{spec.name} has shape [1, 4], {wanted}")
    for shape in ([_HUGE, 2], [_HUGE * 2 - 1, 2]):
        yield _case(
            f"{spec.name} of {shape[0]} rows", _shaped(at, shape), "expected at most 2147483648 elements"
        )
    for datatype in ("BF16", "", spec.datatype.lower(), "INT32" if spec.datatype != "INT32" else "UINT32"):
        request = raw_request(SPECS)
        request.inputs[at].datatype = datatype
        words = f"{spec.name} has datatype {datatype!r}, expected {spec.datatype}"
        yield _case(f"{spec.name} as {datatype!r}", request, words)


def _shaped(at: int, shape: list[int]) -> oip.ModelInferRequest:
    request = raw_request(SPECS)
    request.inputs[at].shape[:] = shape
    return request


def _wrong_raw_contents(spec: TensorSpec) -> Iterator[Malformed]:
    at = SPECS.index(spec)
    good = raw_request(SPECS).raw_input_contents[at]
    element = 4 if spec.datatype == "BYTES" else DATATYPES[spec.datatype].dtype.itemsize
    sizes = "elements, expected 4 for shape [2, 2]"
    wrong = {
        "empty": (b"", f"{spec.name} has 0 {sizes}"),
        "an element too long": (good + bytes(element), f"{spec.name} has 5 {sizes}"),
        "half of it": (good[: len(good) // 2], f"input {spec.name}"),
        "a byte short": (good[:-1], f"input {spec.name}"),
        "a byte long": (good + b"\0", f"input {spec.name}"),
    }
    for name, (raw, words) in wrong.items():
        request = raw_request(SPECS)
        request.raw_input_contents[at] = raw
        yield _case(f"raw {spec.name} {name}", request, words)
    both = raw_request(SPECS)
    both.inputs[at].contents.SetInParent()
    yield _case(f"raw and typed {spec.name}", both, f"{spec.name} has contents beside raw_input_contents")


def _wrong_typed_contents(spec: TensorSpec) -> Iterator[Malformed]:
    at, field = SPECS.index(spec), DATATYPES[spec.datatype].contents
    other = "fp64_contents" if spec.datatype != "FP64" else "fp32_contents"
    request = typed_request(SPECS)
    getattr(request.inputs[at].contents, other).append(1)
    words = f"{spec.name} is {spec.datatype} and has {other}, expected {field or 'raw_input_contents'}"
    yield _case(f"typed {spec.name} in {other}", request, words)
    if field is None:
        words = f"{spec.name} is FP16, which has no typed contents"
        yield _case(f"typed {spec.name}", typed_request(SPECS), words)
        return
    request = typed_request(SPECS)
    getattr(request.inputs[at].contents, field).pop()
    yield _case(f"typed {spec.name} too short", request, f"{spec.name} has 3 elements, expected 4")
    request.inputs[at].ClearField("contents")
    yield _case(f"typed {spec.name} without any", request, f"{spec.name} has 0 elements, expected 4")


def _wrong_values() -> Iterator[Malformed]:
    for datatype, values in _NARROW.items():
        for value in values:
            request = typed_request(SPECS)
            (tensor,) = [tensor for tensor in request.inputs if tensor.datatype == datatype]
            getattr(tensor.contents, str(DATATYPES[datatype].contents))[0] = value
            words = f"{tensor.name} has the value {value}, expected {datatype}"
            yield _case(f"{datatype} of {value}", request, words)
    request = raw_request(SPECS)
    request.raw_input_contents[0] = b"\0\1\2\1"
    yield _case("a BOOL of 2", request, "bool has a raw BOOL that is neither 0 nor 1")


def _wrong_bytes_elements() -> Iterator[Malformed]:
    (at,) = [index for index, spec in enumerate(SPECS) if spec.datatype == "BYTES"]
    wrong = {
        "longer than all": (
            b"\xff\xff\xff\xffabc",
            "at byte 0 is cut short: it says 4294967295 bytes, 3 are left",
        ),
        "a byte missing": (b"\x01\0\0\0a\x02\0\0\0b", "at byte 5 is cut short: it says 2 bytes, 1 are left"),
        "half a length": (
            b"\x01\0\0\0a\x02\0",
            "at byte 5 is cut short: its length takes 4 bytes, 2 are left",
        ),
        "big-endian": (b"\0\0\0\1a", "it says 16777216 bytes, 1 are left"),
        "not UTF-8": (b"\x01\0\0\0\xff" + bytes(12), "UTF-8"),
    }
    for name, (raw, words) in wrong.items():
        request = raw_request(SPECS)
        request.raw_input_contents[at] = raw
        yield _case(f"BYTES {name}", request, words)


def _wrong_inputs() -> Iterator[Malformed]:
    request = raw_request(SPECS)
    request.inputs[0].name = "bol"
    yield _case("a name with a slip", request, "input 'bol' is not known; the model takes bool, uint8")
    request.inputs[0].name = "x" * 100_000
    yield _case("a name of 100 kB", request, "input 'xxxx")
    request.inputs[0].name = SPECS[1].name
    yield _case("an input twice", request, "input uint8 is given twice")
    yield _case("no input", oip.ModelInferRequest(model_name=NAME), "is missing")
    for count, change in ((1, slice(1, None)), (len(SPECS) - 1, slice(-1, None))):
        request = raw_request(SPECS)
        del request.raw_input_contents[change]
        words = f"raw_input_contents has {count} entries, expected {len(SPECS)}"
        yield _case(f"{count} raw contents", request, words)
    request = raw_request(SPECS)
    request.raw_input_contents.append(b"")
    yield _case("raw contents for no input", request, f"has {len(SPECS) + 1} entries, expected {len(SPECS)}")
    request = raw_request(SPECS)
    del request.inputs[-1]
    del request.raw_input_contents[-1]
    yield _case("an input missing", request, "input fp16 is missing; the model takes bool")
    yield _case("FP16 typed among others", typed_request(SPECS), "use raw_input_contents")


def _wrong_outputs_and_parameters() -> Iterator[Malformed]:
    request = raw_request(SPECS)
    request.outputs.add(name="bool")
    yield _case("an unknown output", request, "output 'bool' is not known; the model gives bool_out")
    del request.outputs[:]
    for _ in range(2):
        request.outputs.add(name="bool_out")
    yield _case("an output twice", request, "output bool_out is given twice")
    request = raw_request(SPECS)
    request.inputs[0].parameters["shared_memory_region"].string_param = "region"
    yield _case("shared memory", request, "parameter shared_memory_region belongs to an extension")
    request = raw_request(SPECS)
    request.parameters["sequence_id"].int64_param = 7
    yield _case("a sequence", request, "parameter sequence_id belongs to an extension")


def _wrong_models() -> Iterator[Malformed]:
    own = f"is not here; this is {NAME} version 1"
    for name, version in (("", ""), ("other", ""), (NAME, "2"), (NAME.upper(), ""), ("m" * 100_000, "")):
        request = raw_request(TYPED_SPECS)
        request.model_name, request.model_version = name, version
        yield _case(f"model {name[:20]!r} version {version!r}", request, own, code=grpc.StatusCode.NOT_FOUND)


def _no_messages() -> Iterator[Malformed]:
    good = raw_request(SPECS).SerializeToString()
    words = "the request is no message"
    yield Malformed("a name that is not UTF-8", b"\x0a\x02\xff\xfe", words)
    yield Malformed("half a message", good[: len(good) // 2], words)
    yield Malformed("a tag without a field", good + b"\x07", words)
    yield Malformed("text", b"GET / HTTP/1.1\r\n\r\n", words)
    yield Malformed("an empty message", b"", "is not here", grpc.StatusCode.NOT_FOUND)
    large = raw_request(SPECS)
    large.raw_input_contents.append(bytes(message_limit(SPECS)))
    yield _case(
        "more than the limit",
        large,
        "Received message larger than max",
        code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    )
