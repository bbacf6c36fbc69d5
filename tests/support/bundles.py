"""The real INT8 bundle for every test that needs a model: built once, kept in the cache folder under a lock."""

import pytest

from parkade_api.bundle import Precision
from parkade_models import minilm
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


def cached_bundle(precision: Precision) -> Bundle:
    """The bundle in that precision, built when the cache has none of these sources and tools."""
    folder = cache_folder() / "bundles" / f"{precision.lower()}-{source_digest()}"
    with file_lock(folder.with_suffix(".lock")):
        if not (folder / "bundle.json").exists():
            minilm.build(folder, precision)
    return load_bundle(folder, precision)
