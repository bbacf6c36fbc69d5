"""`python -m parkade_models.quality INPUT.jsonl OUTPUT.jsonl FP32_BUNDLE`: what INT8 costs.

Prints one JSON line with MRR@10 of the output and of the same records in float32. The float32 vectors are
kept in the cache folder under the digests of input and bundle, because computing them takes longer than the
batch.
"""

import argparse
import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson

from parkade_core.batch.lines import output_line
from parkade_models.bundle import Bundle, load_bundle
from parkade_models.cache import cache_folder, file_lock
from parkade_models.retrieval import mean_reciprocal_rank, pairs_of
from parkade_models.tasks.embedding import EmbeddingTask


def main() -> None:
    """Compares the output named on the command line with float32."""
    parser = argparse.ArgumentParser(description="MRR@10 of an output.jsonl against float32.")
    for name in ("input", "output", "fp32_bundle"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    raw = arguments.input.read_bytes()
    exact = fp32_output(raw, load_bundle(arguments.fp32_bundle, "FP32"))
    found, wanted = (mean_reciprocal_rank(*pairs_of(o)) for o in (arguments.output.read_bytes(), exact))
    report = {"mrr_at_10": found, "mrr_at_10_fp32": wanted, "ratio": found / wanted}
    sys.stdout.write(orjson.dumps(report).decode() + "\n")


def fp32_output(batch_input: bytes, bundle: Bundle) -> bytes:
    """The output.jsonl of that input in float32, from the cache when it has been computed before."""
    digest = hashlib.sha256(batch_input).hexdigest()
    key = hashlib.sha256(f"{digest}{bundle.digest}".encode()).hexdigest()[:16]
    path = cache_folder() / "fp32" / f"{key}.jsonl"
    with file_lock(path.with_suffix(".lock")):
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_bytes(embed_input(batch_input, bundle))
            unfinished.rename(path)
    return path.read_bytes()


def embed_input(batch_input: bytes, bundle: Bundle) -> bytes:
    """The output lines of a well-formed batch input, embedded here on two threads."""
    task = EmbeddingTask(bundle)
    digest = f"sha256:{hashlib.sha256(batch_input).hexdigest()}"
    rows = [orjson.loads(line) for line in batch_input.splitlines()]
    with ThreadPoolExecutor(max_workers=2) as lanes:
        bodies = lanes.map(task.answer, (row["body"] for row in rows))
        numbered = enumerate(zip(rows, bodies, strict=True), start=1)
        return b"".join(output_line(digest, line, row["custom_id"], body) for line, (row, body) in numbered)


if __name__ == "__main__":
    main()
