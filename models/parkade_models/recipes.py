"""The catalogue of INT8 recipes, and how one is applied to a folded graph.

Weights are signed and per channel, activations unsigned: with signed activations x86 runs 2.5 times slower and more.
Static recipes take the ranges of activations from calibration runs; dynamic ones compute them in every run.

Weights take seven bits of their eight: two products of 8 bits by 7 fit the 16 bits in which x86 without VNNI adds
them, so such a CPU computes the same numbers as one with VNNI, and the gate that was kept here is kept there.
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Any, Final

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.calibrate import CalibrationDataReader, create_calibrator, save_tensors_data

from parkade_models.errors import BuildError
from parkade_models.graph import shield_floats
from parkade_models.layers import Layers

Feeds = Mapping[str, NDArray[Any]]


class Method(StrEnum):
    """Where the ranges of activations come from."""

    DYNAMIC = "dynamic"
    MIN_MAX = "static MinMax"
    ENTROPY = "static Entropy"
    PERCENTILE = "static Percentile"


class Scope(StrEnum):
    """What is quantized."""

    ALL = "all operators"
    MATMUL = "MatMul"
    MATMUL_AND_TABLE = "MatMul and embedding table"
    CONV = "Conv"
    NO_DEPTHWISE = "all but depthwise"
    NO_HEAD = "all but the head"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way from float32 to INT8."""

    method: Method
    scope: Scope

    @property
    def name(self) -> str:
        """Its name in tables and manifests, such as `dynamic, MatMul`."""
        return f"{self.method}, {self.scope}"


_DYNAMIC: Final = (Scope.ALL, Scope.MATMUL, Scope.MATMUL_AND_TABLE)
_STATIC: Final = (Scope.ALL, Scope.CONV, Scope.NO_DEPTHWISE, Scope.NO_HEAD)
RECIPES: Final = (
    *(Recipe(Method.DYNAMIC, scope) for scope in _DYNAMIC),
    *(Recipe(method, scope) for scope, method in product(_STATIC, list(Method)[1:])),
)
_CALIBRATION: Final = {
    Method.MIN_MAX: CalibrationMethod.MinMax,
    Method.ENTROPY: CalibrationMethod.Entropy,
    Method.PERCENTILE: CalibrationMethod.Percentile,
}
_OPERATORS: Final = {
    Scope.MATMUL: ["MatMul"],  # onnxruntime makes a MatMul and an Add of every Gemm first
    Scope.MATMUL_AND_TABLE: ["MatMul", "Gather"],
    Scope.CONV: ["Conv"],
}


def recipe_named(name: str) -> Recipe:
    """The recipe of that name. Raises KeyError when there is none."""
    return {recipe.name: recipe for recipe in RECIPES}[name]


def why_not(recipe: Recipe, layers: Layers) -> str | None:
    """Why the recipe makes no sense for a graph of these layers; None when it does."""
    if not layers.products:
        return "the graph has no product with constant weights"
    if recipe.method is Method.DYNAMIC:
        return _why_not_dynamic(recipe.scope, layers)
    if recipe.scope is Scope.CONV and "Conv" not in layers.products:
        return "the graph has no Conv"
    if recipe.scope is Scope.NO_DEPTHWISE and not layers.depthwise:
        return "the graph has no depthwise Conv"
    if recipe.scope is Scope.NO_HEAD and len(layers.head) == sum(layers.products.values()):
        return "every product of the graph belongs to its head"
    return None


def _why_not_dynamic(scope: Scope, layers: Layers) -> str | None:
    kinds = set(layers.products)
    if scope is Scope.ALL and kinds <= {"MatMul", "Gemm"}:
        return f"the same as dynamic, {Scope.MATMUL_AND_TABLE if layers.tables else Scope.MATMUL}"
    if scope is not Scope.ALL and kinds.isdisjoint({"MatMul", "Gemm"}):
        return "the graph has no MatMul with constant weights"
    if scope is Scope.MATMUL_AND_TABLE and not layers.tables:
        return "the graph has no embedding table"
    return None


class Calibration:
    """Ranges of a folded graph's activations over *feeds*, computed in *folder* when a method is first asked for."""

    def __init__(self, folded: Path, feeds: Sequence[Feeds], folder: Path) -> None:
        self._folded = folded
        self._feeds = feeds
        self._folder = folder

    def ranges(self, method: Method) -> Path:
        """A file with the ranges by that static method. Raises BuildError when there are no feeds."""
        path = self._folder / f"{_CALIBRATION[method].name}.json"
        if not path.exists():
            if not self._feeds:
                raise BuildError(f"{method} needs calibration data")
            self._compute(method, path)
        return path

    def _compute(self, method: Method, path: Path) -> None:
        options = {"symmetric": False}  # ranges of unsigned activations
        with contextlib.redirect_stdout(io.StringIO()):  # onnxruntime prints as it goes
            calibrator = create_calibrator(
                self._folded,
                augmented_model_path=str(self._folder / "augmented.onnx"),
                calibrate_method=_CALIBRATION[method],
                extra_options=options,
            )
            for feeds in self._feeds:  # one by one: records may differ in shape, and memory stays small
                calibrator.collect_data(_OneRun(feeds))
            save_tensors_data(calibrator.compute_data(), path)


class _OneRun(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, feeds: Feeds) -> None:
        self._waiting: list[Feeds] = [feeds]

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return dict(self._waiting.pop()) if self._waiting else None


def quantize(recipe: Recipe, folded: Path, target: Path, calibration: Calibration) -> None:
    """Writes the folded graph quantized by *recipe*. Raises BuildError with onnxruntime's words when it cannot be."""
    try:
        if recipe.method is Method.DYNAMIC:
            _quantize_dynamic(recipe.scope, folded, target)
        else:
            _quantize_static(recipe, folded, target, calibration)
    except BuildError:
        raise
    except Exception as error:  # whatever the quantizer stumbles over
        raise BuildError(f"onnxruntime cannot quantize it: {type(error).__name__}: {error}") from error


def _quantize_dynamic(scope: Scope, folded: Path, target: Path) -> None:
    quantize_dynamic(
        folded,
        target,
        op_types_to_quantize=_OPERATORS.get(scope),
        per_channel=True,
        reduce_range=True,  # seven bits
        weight_type=QuantType.QInt8,
    )


def _quantize_static(recipe: Recipe, folded: Path, target: Path, calibration: Calibration) -> None:
    quantize_static(
        folded,
        target,
        op_types_to_quantize=_OPERATORS.get(recipe.scope),
        per_channel=True,
        reduce_range=True,  # seven bits
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=_excluded(recipe.scope, folded),
        calibrate_method=_CALIBRATION[recipe.method],
        calibration_cache_path=calibration.ranges(recipe.method),
    )
    shield_floats(target)


def _excluded(scope: Scope, folded: Path) -> list[str]:
    if scope not in {Scope.NO_DEPTHWISE, Scope.NO_HEAD}:
        return []
    layers = Layers.of(onnx.load(str(folded)))
    return sorted(layers.depthwise if scope is Scope.NO_DEPTHWISE else layers.head_and_after)
