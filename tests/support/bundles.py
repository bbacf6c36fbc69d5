"""Real INT8 bundles for every test that needs a model: built once, kept in the cache folder under a lock."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import pytest

from parkade_api.bundle import Precision
from parkade_models import digits, magika, minilm, minilm_source
from parkade_models.bundle import Bundle, load_bundle
from parkade_models.cache import cache_folder, file_lock
from parkade_models.search.output import Decision
from parkade_models.tasks.embedding import EmbeddingTask


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle that this repository builds."""

    name: str
    build: Callable[[Path, Precision], str]
    source_digest: Callable[[], str]


MINILM: Final = Made(minilm_source.NAME, minilm.build, minilm_source.source_digest)
MAGIKA: Final = Made(magika.NAME, magika.build, magika.source_digest)
DIGITS: Final = Made(digits.NAME, digits.build, digits.source_digest)


@pytest.fixture(scope="session")
def int8_bundle() -> Bundle:
    """The INT8 bundle of paraphrase-MiniLM-L3; read-only, so copy its folder before you break it."""
    return cached(MINILM)


@pytest.fixture(scope="session")
def embedding_task(int8_bundle: Bundle) -> EmbeddingTask:
    """The INT8 bundle, loaded."""
    return EmbeddingTask(int8_bundle)


@pytest.fixture(scope="session")
def magika_bundle() -> Bundle:
    """The INT8 bundle of magika, which tells types of files apart."""
    return cached(MAGIKA)


@pytest.fixture(scope="session")
def digits_bundle() -> Bundle:
    """The INT8 bundle of a CNN that reads handwritten digits."""
    return cached(DIGITS)


def cached(made: Made, precision: Precision = "INT8") -> Bundle:
    """The bundle in that precision, built when the cache has none of what it is made of now."""
    folder = cache_folder() / "bundles" / f"{made.name}-{precision.lower()}-{made.source_digest()}"
    with file_lock(folder.with_suffix(".lock")):
        if not (folder / "bundle.json").exists():
            made.build(folder, precision)
    return load_bundle(folder, precision)


def check_decided(bundle: Bundle, decision: Decision) -> None:
    """Asserts that the bundle is what a search decided, and states the search's figures only of the file searched."""
    manifest, variant = bundle.manifest, bundle.variant
    lines = bundle.path("vectors.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line) for line in lines] == decision.vectors
    if manifest.file(variant.file).sha256 == decision.model_sha256:
        assert variant == decision.variant
        assert (manifest.budget, manifest.rowsPerRun) == (decision.budget, decision.rows_per_run)
    else:
        assert variant == decision.variant.model_copy(update={"quality": None, "speed": None})
