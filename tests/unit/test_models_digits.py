"""Images end to end: the CNN that is trained here reads real handwritten digits, alone and in a vehicle's sidecar."""

import orjson
import pytest

from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_api.proto.vehicle.v1 import vehicle_pb2_grpc
from parkade_models import digits
from parkade_models.building import decision_in
from parkade_models.bundle import Bundle
from parkade_models.digits_data import Split, load
from parkade_models.tasks import open_task
from parkade_models.tasks.task import Task
from support.batch_input import accuracy, batch_lines
from support.bundles import DIGITS, cached, check_decided
from support.sidecars import serving_sidecar

pytestmark = pytest.mark.long(15)

RIGHT = 0.97
GATE = 0.99  # of float32's accuracy


@pytest.fixture(scope="module")
def split() -> Split:
    """All digits."""
    return load()


def read(task: Task, split: Split) -> float:
    """The share of held-out digits that the task reads rightly."""
    wanted = [digit.label for digit in split.held_out]
    answers = task.answers([body for digit in split.held_out for body in digit.example().bodies()])
    found = [answer["data"][0]["label"] for answer in answers if isinstance(answer, dict)]
    assert len(found) == len(wanted)
    return sum(map(str.__eq__, found, wanted)) / len(wanted)


def test_held_out_digits_are_read(digits_bundle: Bundle, split: Split) -> None:
    """INT8 reads at least 97 % of 599 images that training never saw, and keeps 99 % of float32's share."""
    int8 = read(open_task(digits_bundle), split)
    float32 = read(open_task(cached(DIGITS, "FP32")), split)
    assert int8 >= RIGHT
    assert int8 >= GATE * float32


def test_no_digit_is_in_two_parts(split: Split) -> None:
    """What a model is trained and calibrated on is not what it is judged by."""
    parts = [split.train, split.calibration, split.held_out]
    assert [len(part) for part in parts] == [1048, 150, 599]
    images = [{digit.png for digit in part} for part in parts]
    assert not images[2] & (images[0] | images[1])
    assert not images[0] & images[1]


def test_training_again_gives_the_same_model(split: Split) -> None:
    """The same packages on the same kind of CPU give the same bytes; 64 images show it as well as all."""
    assert digits.train(split.train[:64]) == digits.train(split.train[:64])


def test_bundle_is_the_recorded_decision(digits_bundle: Bundle) -> None:
    """What the search settled is what the bundle states; on a CPU that gives another file, no figures of this one."""
    check_decided(digits_bundle, decision_in(digits.SEARCH_FILE))


def test_images_that_share_a_run_change_no_byte(digits_bundle: Bundle, split: Split) -> None:
    """An image's answer is the same alone, beside seven others, and beside others that are no images."""
    task = open_task(digits_bundle)
    bodies = [body for digit in split.held_out[:24] for body in digit.example().bodies()]
    alone = [orjson.dumps(task.answers([body])[0], option=orjson.OPT_SERIALIZE_NUMPY) for body in bodies]
    for size in (2, 3, 8):
        starts = range(0, len(bodies), size)
        answers = [
            answer for at in starts for answer in task.answers([*bodies[at : at + size], {"input": "?"}])
        ]
        shared = [answer for answer in answers if isinstance(answer, dict)]
        assert [orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY) for answer in shared] == alone


async def test_a_shard_of_images_is_read_in_a_sidecar(digits_bundle: Bundle, split: Split) -> None:
    """A sidecar process answers a shard of images as well, and by the answers' custom_ids that can be counted."""
    rows = [
        orjson.loads(line)
        for line in batch_lines(digits.DESCRIPTION, [digit.example() for digit in split.held_out[:100]])
    ]
    async with serving_sidecar(digits_bundle, lanes=2) as sidecar:
        request = sidecar.write_shard("digits", [row["body"] for row in rows])
        run = vehicle_pb2_grpc.ShardsStub(sidecar.channel).Run(request)
        outcome = [progress async for progress in run][-1].outcome
        output = (sidecar.folder / request.result_name).read_bytes()
    assert (outcome.succeeded, outcome.failed) == (100, 0)
    lines = [orjson.loads(line) for line in output.splitlines()]
    named = [
        orjson.dumps(line | {"custom_id": row["custom_id"]}) for line, row in zip(lines, rows, strict=True)
    ]
    assert accuracy(b"\n".join(named)) >= RIGHT


async def test_images_are_read_over_open_inference(digits_bundle: Bundle, split: Split) -> None:
    """Any Open Inference client sends images as they are, several a call, and gets their labels in order."""
    digits_asked = split.held_out[:12]
    request = oip.ModelInferRequest(model_name=digits.NAME)
    request.inputs.add(name="input", datatype="BYTES", shape=[len(digits_asked)])
    request.raw_input_contents.append(
        b"".join(len(digit.png).to_bytes(4, "little") + digit.png for digit in digits_asked)
    )
    request.outputs.add(name="label")
    async with serving_sidecar(digits_bundle) as sidecar:
        response = await oip_grpc.GRPCInferenceServiceStub(sidecar.channel).ModelInfer(request)
    assert list(response.outputs[0].shape) == [len(digits_asked), 1]
    labels = b"".join(b"\x01\x00\x00\x00" + digit.label.encode() for digit in digits_asked)
    assert list(response.raw_output_contents) == [labels]
