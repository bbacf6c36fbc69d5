"""What a search hands over, and the bundle that is written of it."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from parkade_api.bundle import Budget, BundleDescription, BundleManifest, Precision, Quality, Variant
from parkade_models.bundle import describe_file, write_manifest
from parkade_models.errors import BuildError
from parkade_models.search.proof import RowsProof
from parkade_models.search.report import Report

VECTORS: Final = "vectors.jsonl"
MODEL: Final = "model.int8.onnx"
_REQUIRES: Final = "x86-avx2"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A search's report and, when a recipe was chosen, everything that its bundle holds."""

    report: Report
    model: bytes | None = None
    """The chosen candidate's ONNX file."""

    rows: RowsProof | None = None
    budget: Budget | None = None
    vectors: bytes = b""
    """Request bodies, one a line."""


def write_bundle(description: BundleDescription, source: Path, outcome: Outcome, folder: Path) -> str:
    """Writes the INT8 bundle into *folder* and returns its digest.

    Files that the description mentions are copied from the folder *source*. Raises BuildError when the search refused
    the model, OSError when a file cannot be read or written.
    """
    if outcome.model is None:
        raise BuildError(f"{description.name} is refused: {outcome.report.refusal}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL).write_bytes(outcome.model)
    (folder / VECTORS).write_bytes(outcome.vectors)
    additions = {
        "rowsPerRun": 1 if outcome.rows is None else outcome.rows.rows_per_run,
        "budget": outcome.budget,
        "vectors": VECTORS,
    }
    return complete(description.model_copy(update=additions), source, folder, int8_variant(outcome.report))


def complete(description: BundleDescription, source: Path, folder: Path, variant: Variant) -> str:
    """Makes a bundle of *folder*, where the variant's file lies, and returns its digest.

    Files that the description mentions and *folder* lacks are copied from *source*.
    """
    names = [variant.file, *description.mentioned()]
    for name in names:
        if not (folder / name).exists():
            shutil.copyfile(source / name, folder / name)
    return write_manifest(folder, manifest_of(description, folder, names, variant))


def manifest_of(
    description: BundleDescription, folder: Path, names: Iterable[str], variant: Variant
) -> BundleManifest:
    """The description as the manifest of the files *names* in *folder*."""
    fields: dict[str, Any] = description.model_dump(by_alias=True)
    files = [describe_file(folder / name) for name in names]
    return BundleManifest(**fields | {"files": files, "variants": [variant]})


def int8_variant(report: Report) -> Variant:
    """The manifest's entry for the chosen candidate."""
    chosen = report.chosen
    if chosen is None or chosen.metric is None:
        raise BuildError(f"{report.model} has no INT8 variant: {report.refusal}")
    quality = Quality(
        metric=report.metric,
        value=chosen.metric,
        reference=report.reference.metric or 0.0,
        gate=report.gate,
        records=report.records,
    )
    return variant_of("INT8", MODEL, chosen.recipe).model_copy(
        update={"quality": quality, "speed": chosen.speed}
    )


def variant_of(precision: Precision, file: str, recipe: str) -> Variant:
    """The manifest's entry for a model of which nothing was measured."""
    return Variant(precision=precision, file=file, requires=_REQUIRES, recipe=recipe)
