"""Real INT8 bundles for every test that needs a model: built once, kept in the cache folder under a lock."""

from collections.abc import Callable
from pathlib import Path

import pytest

from parkade_api.bundle import Precision
from parkade_models import digits, magika, minilm, sources
from parkade_models.bundle import Bundle, load_bundle
from parkade_models.cache import cache_folder, file_lock
from parkade_models.minilm_source import source_digest
from parkade_models.tasks.embedding import EmbeddingTask


@pytest.fixture(scope="session")
def int8_bundle() -> Bundle:
    """The INT8 bundle of paraphrase-MiniLM-L3; read-only, so copy its folder before you break it."""
    return cached_bundle("INT8")


@pytest.fixture(scope="session")
def embedding_task(int8_bundle: Bundle) -> EmbeddingTask:
    """The INT8 bundle, loaded."""
    return EmbeddingTask(int8_bundle)


@pytest.fixture(scope="session")
def magika_bundle() -> Bundle:
    """The INT8 bundle of magika, which tells types of files apart."""
    return cached(magika.NAME, magika.build)


@pytest.fixture(scope="session")
def digits_bundle() -> Bundle:
    """The INT8 bundle of a CNN that reads handwritten digits."""
    return cached(digits.NAME, digits.build)


def cached(name: str, build: Callable[[Path, Precision], str], precision: Precision = "INT8") -> Bundle:
    """What *build* makes in that precision, built when the cache has none of this package's files and tools."""
    package = Path(sources.__file__).parent
    files = sorted(str(path.relative_to(package)) for path in package.rglob("*.py"))
    return _kept(f"{name}-{precision.lower()}-{sources.source_digest(*files)}", build, precision)


def cached_bundle(precision: Precision) -> Bundle:
    """The bundle in that precision, built when the cache has none of these sources and tools."""
    return _kept(f"{precision.lower()}-{source_digest()}", minilm.build, precision)


def _kept(name: str, build: Callable[[Path, Precision], str], precision: Precision) -> Bundle:
    folder = cache_folder() / "bundles" / name
    with file_lock(folder.with_suffix(".lock")):
        if not (folder / "bundle.json").exists():
            build(folder, precision)
    return load_bundle(folder, precision)
