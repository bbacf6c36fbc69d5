"""What a search hands over, and the bundle that is written of it."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field

from parkade_api.bundle import (
    MOST_ROWS_PER_RUN,
    Budget,
    BundleDescription,
    BundleManifest,
    Precision,
    Quality,
    Sha256,
    Variant,
)
from parkade_models.bundle import describe_file, write_manifest
from parkade_models.errors import BuildError
from parkade_models.search.report import Candidate, Report

VECTORS: Final = "vectors.jsonl"
MODEL: Final = "model.int8.onnx"
_REQUIRES: Final = "x86-avx2"


class Decision(BaseModel):
    """What a search settles of a bundle's manifest. With the float32 model it is enough to build the bundle again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variant: Variant
    model_sha256: Sha256 = Field(
        description="Of the INT8 file that was searched: all else was measured on it."
    )
    rows_per_run: int = Field(ge=1, le=MOST_ROWS_PER_RUN)
    rows_reason: str
    budget: Budget
    vectors: list[dict[str, Any]] = Field(min_length=1, description="Request bodies.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A search's report and, when a recipe was chosen, what was decided and the model's bytes."""

    report: Report
    decision: Decision | None = None
    model: bytes = b""


def write_bundle(description: BundleDescription, source: Path, outcome: Outcome, folder: Path) -> str:
    """Writes the INT8 bundle into *folder* and returns its digest.

    Files that the description mentions are copied from the folder *source*. Raises BuildError when the search refused
    the model, OSError when a file cannot be read or written.
    """
    if outcome.decision is None:
        raise BuildError(f"{description.name} is refused: {outcome.report.refusal}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL).write_bytes(outcome.model)
    return write_decided(description, source, outcome.decision, folder)


def write_decided(description: BundleDescription, source: Path, decision: Decision, folder: Path) -> str:
    """Makes a bundle of *folder*, where the INT8 model lies already, and returns its digest."""
    lines = (orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE) for body in decision.vectors)
    (folder / VECTORS).write_bytes(b"".join(lines))
    settled = {"rowsPerRun": decision.rows_per_run, "budget": decision.budget, "vectors": VECTORS}
    return complete(description.model_copy(update=settled), source, folder, decision.variant)


def complete(description: BundleDescription, source: Path, folder: Path, variant: Variant) -> str:
    """Makes a bundle of *folder*, where the variant's file lies already, and returns its digest.

    Files that the description mentions and *folder* lacks are copied from *source*.
    """
    names = [variant.file, *description.mentioned()]
    for name in names:
        if not (folder / name).exists():
            shutil.copyfile(source / name, folder / name)
    return write_manifest(folder, _manifest(description, folder, names, variant))


def _manifest(
    description: BundleDescription, folder: Path, names: Iterable[str], variant: Variant
) -> BundleManifest:
    fields: dict[str, Any] = description.model_dump(by_alias=True)
    files = [describe_file(folder / name) for name in names]
    return BundleManifest(**fields | {"files": files, "variants": [variant]})


def chosen_variant(report: Report, chosen: Candidate) -> Variant:
    """The manifest's entry for the chosen candidate of the report."""
    quality = Quality(
        metric=report.metric,
        value=chosen.metric or 0.0,
        reference=report.reference.metric or 0.0,
        gate=report.gate,
        records=report.records,
    )
    return plain_variant("INT8", MODEL, chosen.recipe).model_copy(
        update={"quality": quality, "speed": chosen.speed}
    )


def plain_variant(precision: Precision, file: str, recipe: str) -> Variant:
    """The manifest's entry for a model of which nothing was measured."""
    return Variant(precision=precision, file=file, requires=_REQUIRES, recipe=recipe)
