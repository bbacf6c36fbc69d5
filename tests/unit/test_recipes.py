"""Each recipe quantizes what it says, and only that."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from parkade_models.errors import BuildError
from parkade_models.graph import Products, keep_output, prepare, products
from parkade_models.layers import Layers
from parkade_models.recipes import (
    RECIPES,
    Calibration,
    Method,
    Recipe,
    Scope,
    quantize,
    recipe_named,
    why_not,
)
from support.searches import classifier, picture_network

FEEDS = [
    {
        "image": np.random.default_rng(seed).normal(size=(1, 3, 16, 16)).astype(np.float32),
        "word": np.array([seed], np.int64),
    }
    for seed in range(4)
]


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network with every kind of layer, folded."""
    folder = tmp_path_factory.mktemp("folded")
    (folder / "network.onnx").write_bytes(picture_network())
    prepare(folder / "network.onnx", folder / "folded.onnx")
    return folder / "folded.onnx"


@pytest.fixture(scope="module")
def calibration(folded: Path) -> Calibration:
    """Its ranges."""
    return Calibration(folded, FEEDS, folded.parent)


@pytest.mark.parametrize(
    ("scope", "integer", "float32"),
    [
        (Scope.ALL, 3, 0),
        (Scope.CONV, 2, 1),
        (Scope.NO_DEPTHWISE, 2, 1),
        (Scope.NO_HEAD, 2, 1),
    ],
)
@pytest.mark.parametrize("method", [Method.MIN_MAX, Method.ENTROPY, Method.PERCENTILE])
def test_static_recipe_leaves_the_rest_in_float(
    folded: Path,
    calibration: Calibration,
    tmp_path: Path,
    method: Method,
    scope: Scope,
    integer: int,
    float32: int,
) -> None:
    """A static recipe computes its scope in integers, with unsigned activations and signed weights."""
    target = tmp_path / "int8.onnx"
    quantize(Recipe(method, scope), folded, target, calibration)
    assert products(target) == Products(integer, float32)
    model = onnx.load(str(target))
    kinds = {weight.name: weight.data_type for weight in model.graph.initializer}
    zeros = [kinds[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert set(zeros) == {onnx.TensorProto.UINT8}


@pytest.mark.parametrize(
    ("scope", "operators"),
    [
        (Scope.ALL, {"ConvInteger": 2, "MatMulInteger": 1, "Gather": 1}),
        (Scope.MATMUL, {"Conv": 2, "MatMulInteger": 1, "Gather": 1}),
        (Scope.MATMUL_AND_TABLE, {"Conv": 2, "MatMulInteger": 1, "Gather": 1}),
    ],
)
def test_dynamic_recipe_quantizes_its_scope(
    folded: Path, calibration: Calibration, tmp_path: Path, scope: Scope, operators: dict[str, int]
) -> None:
    """A dynamic recipe replaces the operators of its scope; the table is INT8 only where the scope says so."""
    target = tmp_path / "int8.onnx"
    quantize(Recipe(Method.DYNAMIC, scope), folded, target, calibration)
    model = onnx.load(str(target))
    counted = Counter(node.op_type for node in model.graph.node)
    assert {name: counted[name] for name in operators} == operators
    table = next(node.input[0] for node in model.graph.node if node.op_type == "Gather")
    assert (table == "table") == (scope is Scope.MATMUL)


@pytest.mark.parametrize("method", [Method.DYNAMIC, Method.MIN_MAX])
def test_weights_have_seven_bits(
    folded: Path, calibration: Calibration, tmp_path: Path, method: Method
) -> None:
    """A CPU without VNNI adds two products in 16 bits: 255 x 64 fits there twice, 255 x 127 does not."""
    target = tmp_path / "int8.onnx"
    quantize(Recipe(method, Scope.ALL), folded, target, calibration)
    tensors = map(onnx.numpy_helper.to_array, onnx.load(str(target)).graph.initializer)
    largest = [
        int(np.abs(tensor.astype(int)).max())
        for tensor in tensors
        if tensor.dtype == np.int8 and tensor.ndim > 1
    ]
    assert 0 < max(largest) <= 64


def test_quantizing_again_gives_the_same_bytes(folded: Path, tmp_path: Path) -> None:
    """Recipe, graph and calibration data decide every byte."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        calibration = Calibration(folded, FEEDS, tmp_path / name)
        quantize(Recipe(Method.ENTROPY, Scope.ALL), folded, tmp_path / name / "int8.onnx", calibration)
    one, other = ((tmp_path / name / "int8.onnx").read_bytes() for name in ("one", "other"))
    assert one == other


def test_static_recipe_needs_calibration_data(folded: Path, tmp_path: Path) -> None:
    """Without data the refusal says what is missing."""
    with pytest.raises(BuildError, match="static MinMax needs calibration data"):
        quantize(Recipe(Method.MIN_MAX, Scope.ALL), folded, tmp_path / "x", Calibration(folded, [], tmp_path))


def test_quantizers_own_failure_is_told(tmp_path: Path) -> None:
    """What onnxruntime's quantizer raises becomes a sentence with its words."""
    (tmp_path / "letter.onnx").write_bytes(b"This is a letter.")
    with pytest.raises(BuildError, match="onnxruntime cannot quantize it: "):
        quantize(RECIPES[0], tmp_path / "letter.onnx", tmp_path / "x", Calibration(tmp_path, [], tmp_path))


def _layers(**fields: object) -> Layers:
    nothing: frozenset[str] = frozenset()
    stated = {
        "products": {},
        "depthwise": nothing,
        "tables": nothing,
        "head": nothing,
        "head_and_after": nothing,
    }
    return Layers(**stated | fields)  # type: ignore[arg-type]


TEXT = _layers(products={"MatMul": 18}, tables=frozenset({"words"}), head=frozenset({"last"}))
IMAGE = _layers(products={"Conv": 9, "Gemm": 1}, depthwise=frozenset({"deep"}), head=frozenset({"last"}))
FLAT = _layers(products={"MatMul": 1}, head=frozenset({"last"}))


@pytest.mark.parametrize(
    ("recipe", "layers", "reason"),
    [
        ("dynamic, all operators", _layers(), "the graph has no product with constant weights"),
        ("dynamic, all operators", TEXT, "the same as dynamic, MatMul and embedding table"),
        ("dynamic, all operators", FLAT, "the same as dynamic, MatMul"),
        ("dynamic, all operators", IMAGE, None),
        ("dynamic, MatMul", TEXT, None),
        ("dynamic, MatMul", IMAGE, None),
        ("dynamic, MatMul", _layers(products={"Conv": 1}), "the graph has no MatMul with constant weights"),
        ("dynamic, MatMul and embedding table", TEXT, None),
        ("dynamic, MatMul and embedding table", IMAGE, "the graph has no embedding table"),
        ("static Entropy, all operators", TEXT, None),
        ("static MinMax, Conv", TEXT, "the graph has no Conv"),
        ("static MinMax, Conv", IMAGE, None),
        ("static Percentile, all but depthwise", IMAGE, None),
        ("static Percentile, all but depthwise", TEXT, "the graph has no depthwise Conv"),
        ("static MinMax, all but the head", IMAGE, None),
        ("static MinMax, all but the head", FLAT, "every product of the graph belongs to its head"),
    ],
)
def test_recipe_that_makes_no_sense_says_why(recipe: str, layers: Layers, reason: str | None) -> None:
    """A recipe for layers that the graph has not is left out with the reason."""
    assert why_not(recipe_named(recipe), layers) == reason


def test_layers_of_a_graph(folded: Path) -> None:
    """Depthwise convolutions, tables and the head are found by shape and position."""
    layers = Layers.of(onnx.load(str(folded)))
    assert dict(layers.products) == {"Conv": 2, "MatMul": 1}
    assert [len(names) for names in (layers.depthwise, layers.tables, layers.head)] == [1, 1, 1]
    assert {name.partition(":")[2] for name in layers.head_and_after} == {"MatMul", "Gather", "Mul"}


def test_old_opset_is_upgraded(tmp_path: Path) -> None:
    """A graph of opset 11 is brought to 17, which static per-channel quantization needs."""
    model = onnx.load_model_from_string(classifier())
    model.opset_import[0].version = 11
    onnx.save(model, str(tmp_path / "old.onnx"))
    prepare(tmp_path / "old.onnx", tmp_path / "folded.onnx")
    opsets = onnx.load(str(tmp_path / "folded.onnx")).opset_import
    assert next(each.version for each in opsets if not each.domain) == 17


def test_file_that_is_no_model_cannot_be_prepared(tmp_path: Path) -> None:
    """The refusal names the file."""
    (tmp_path / "letter.onnx").write_bytes(b"This is a letter.")
    with pytest.raises(BuildError, match=r"letter\.onnx cannot be folded and brought to opset 17"):
        prepare(tmp_path / "letter.onnx", tmp_path / "folded.onnx")


def test_output_that_is_not_there_cannot_be_kept(tmp_path: Path) -> None:
    """Keeping a tensor that no node gives is refused with its name."""
    (tmp_path / "model.onnx").write_bytes(classifier())
    with pytest.raises(BuildError, match=r"model\.onnx has no tensor called poem"):
        keep_output(tmp_path / "model.onnx", tmp_path / "kept.onnx", "poem", "y")
