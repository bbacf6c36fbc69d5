"""Scene (c): the proof, by a script that imports nothing of Parkade, and the figures of the batch."""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from parkade_hack.demo.model import BROKEN_LINES, exact_bundle, run, run_module
from parkade_hack.demo.play import BATCH, NAMESPACE, Play
from parkade_hack.demo.stage import DemoError
from parkade_hack.paths import EXAMPLES

QUALITY_RATIO = 0.97
LOGGED = re.compile(r"shard \d+ done: (\d+) records.* ([\d.]+) CPU ms a record")


def prove(play: Play) -> None:
    """Checks every promise about the results."""
    play.stage.title("The proof: plain onnxruntime embeds every record alone and compares bytes")
    results = play.release.namespace_folder(NAMESPACE) / "results" / BATCH
    figures = _independent_proof(play, results)
    _commits_equal_shards(play)
    _quality(play, results / "output.jsonl")
    _cost(play, float(figures["raw_cpu_ms_per_record"]))
    play.stage.say(f"results: {results}")


def _independent_proof(play: Play, results: Path) -> dict[str, Any]:
    files = (
        play.material.batch_input,
        play.material.bundle,
        results / "output.jsonl",
        results / "errors.jsonl",
    )
    command = (sys.executable, "-I", str(EXAMPLES / "proof.py"), *map(str, files))
    words = run(play.stage, "proof", command).splitlines()
    figures: dict[str, Any] = json.loads(words[-1])
    documents = len(play.material.documents.read_bytes().splitlines())
    counted = (figures["records"], figures["errors"])
    play.stage.check(words[0], holds=counted == (documents, BROKEN_LINES.count(b"\n")))
    return figures


def _commits_equal_shards(play: Play) -> None:
    """Folds the commit log by hand: each line of a segment after its header is one commit."""
    batch = play.kubectl.read("inferencebatch", BATCH, "--namespace", NAMESPACE)
    log = play.release.platform_store / "batches" / batch["metadata"]["uid"] / "log"
    lines = [line for segment in sorted(log.iterdir()) for line in segment.read_bytes().splitlines()[1:]]
    committed = {json.loads(line)["shard"] for line in lines}
    shards = batch["status"]["shards"]["total"]
    play.stage.check(
        f"{len(committed)} shards committed of {shards} planned ({len(lines)} commits in the log)",
        holds=committed == set(range(shards)),
    )


def _quality(play: Play, output: Path) -> None:
    documents, exact = str(play.material.documents), str(exact_bundle(play.stage))
    found = json.loads(run_module(play.stage, "parkade_models.quality", documents, str(output), exact))
    play.stage.check(
        f"MRR@10 of INT8 {found['mrr_at_10']:.3f}, of FP32 {found['mrr_at_10_fp32']:.3f}",
        holds=found["ratio"] >= QUALITY_RATIO,
    )


def _cost(play: Play, raw: float) -> None:
    logs = (log for log in play.fleet.folder.rglob("*runner*") if log.is_file())
    mean = milliseconds_a_record(log.read_text(errors="replace") for log in logs)
    play.stage.say(
        f"CPU a record: {mean:.2f} ms in enrolled vehicles, {raw:.2f} ms in the raw loop ({raw / mean:.2f})"
    )


def milliseconds_a_record(logs: Iterable[str]) -> float:
    """Mean CPU milliseconds a record, as the runners logged it. Raises DemoError when none of them did."""
    done = [(int(match[1]), float(match[2])) for log in logs for match in LOGGED.finditer(log)]
    records = sum(count for count, _ in done)
    if not records:
        raise DemoError("no runner's log tells the CPU time of a shard")
    return sum(count * cost for count, cost in done) / records
