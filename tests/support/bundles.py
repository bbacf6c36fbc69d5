"""The real INT8 bundle for every test that needs a model: built once, kept in the cache folder under a lock."""

import hashlib
from importlib.metadata import version
from pathlib import Path

import pytest

from parkade_api.bundle import Precision
from parkade_models import minilm, quantize
from parkade_models.bundle import Bundle, load_bundle
from parkade_models.cache import cache_folder, file_lock
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
    folder = cache_folder() / "bundles" / f"{precision.lower()}-{_key()}"
    with file_lock(folder.with_suffix(".lock")):
        if not (folder / "bundle.json").exists():
            minilm.build(folder, precision)
    return load_bundle(folder, precision)


def _key() -> str:
    sources = (minilm.LOCK_FILE, Path(minilm.__file__), Path(quantize.__file__))
    content = b"".join(path.read_bytes() for path in sources)
    tools = f"{version('onnx')} {version('onnxruntime')}"
    return hashlib.sha256(content + tools.encode()).hexdigest()[:16]
