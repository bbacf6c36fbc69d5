"""Real models pass the static checks, and what they take is known from their shapes."""

import pytest
from onnx import TensorProto, helper

from parkade_api.bundle import BundleManifest, BytesInput, ImageInput, TensorInput, TensorShape, TextInput
from parkade_models.bundle import Bundle
from parkade_models.checks import check_model
from parkade_models.checks.sizes import largest_inputs
from parkade_models.errors import ModelRefusedError
from support.hostile import good, model

IMAGE = ImageInput(
    kind="image", tensor="x", width=32, height=24, mode="RGB", layout="NCHW", mean=[0.5] * 3, std=[0.5] * 3
)


@pytest.mark.parametrize("name", ["int8_bundle", "magika_bundle", "digits_bundle"])
def test_real_models_are_taken(request: pytest.FixtureRequest, name: str) -> None:
    """Each takes its weights at least, and a few megabytes for what is between them."""
    bundle: Bundle = request.getfixturevalue(name)
    raw = bundle.path(bundle.variant.file).read_bytes()
    taken = check_model(raw, largest_inputs(bundle.manifest))
    assert len(raw) / 2 < taken < len(raw) + (16 << 20)


@pytest.mark.parametrize(
    ("given", "rows", "shapes"),
    [
        (
            TextInput(kind="text", tokenizer="t", maxTokens=128, tensors=["ids", "mask"]),
            1,
            {"ids": (1, 128), "mask": (1, 128)},
        ),
        (
            BytesInput(kind="bytes", tensor="x", beginning=100, end=28, block=128, padding=256),
            4,
            {"x": (4, 128)},
        ),
        (IMAGE, 2, {"x": (2, 3, 24, 32)}),
        (IMAGE.model_copy(update={"mode": "L", "layout": "NHWC"}), 1, {"x": (1, 24, 32, 1)}),
        (
            TensorInput(kind="tensor", tensors=[TensorShape(name="x", datatype="FP32", shape=[-1, 7])]),
            1,
            {"x": (-1, 7)},
        ),
    ],
)
def test_the_manifest_bounds_what_the_graph_leaves_open(
    int8_bundle: Bundle, given: TextInput, rows: int, shapes: dict[str, tuple[int, ...]]
) -> None:
    """Each kind of input has a largest shape; -1 stays where nobody bounds it."""
    manifest: BundleManifest = int8_bundle.manifest.model_copy(update={"input": given, "rowsPerRun": rows})
    assert largest_inputs(manifest) == shapes


def test_the_largest_record_counts(int8_bundle: Bundle) -> None:
    """A text of 8,192 tokens needs gigabytes for its attention alone: the same model is refused for it."""
    raw = int8_bundle.path(int8_bundle.variant.file).read_bytes()
    sizes = dict.fromkeys(("input_ids", "attention_mask"), (1, 8192))
    assert check_model(raw, sizes, 1 << 40) > 2 << 30
    with pytest.raises(ModelRefusedError, match="at most 2147483648 are taken"):
        check_model(raw, sizes)


def test_tensors_count_as_long_as_they_are_needed() -> None:
    """A chain needs two of its tensors at a time, a sum of all of them needs them all."""
    size = helper.make_tensor("size", TensorProto.INT64, [2], [1000, 4])
    start = helper.make_node("Expand", ["x", "size"], ["t0"])
    chain = [helper.make_node("Neg", [f"t{n}"], [f"t{n + 1}"]) for n in range(9)]
    names = [f"t{number}" for number in range(10)]
    last = helper.make_node("Slice", ["t9", "0", "1"], ["y"])
    total = helper.make_node("Sum", names, ["sum"])
    numbers = [helper.make_tensor(str(n), TensorProto.INT64, [1], [n]) for n in (0, 1)]
    one_by_one = model([start, *chain, last], size, *numbers).SerializeToString()
    all_at_once = model(
        [start, *chain, total, helper.make_node("Slice", ["sum", "0", "1"], ["y"])], size, *numbers
    ).SerializeToString()
    tensor = 1000 * 4 * 4
    assert 2 * tensor < check_model(one_by_one, {}) < 3 * tensor
    assert 11 * tensor < check_model(all_at_once, {}) < 12 * tensor


def test_a_size_that_only_a_run_decides_counts_as_one() -> None:
    """What an exporter writes as -1, or names, is no refusal."""
    made = good()
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    assert check_model(made.SerializeToString(), {}) == check_model(good().SerializeToString(), {})
