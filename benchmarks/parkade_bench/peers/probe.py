"""`python -m parkade_bench.peers.probe RUNTIME BUNDLE SHARD LANES`: a graph alone in a process.

Prints one JSON object: seconds of CPU from the process's start to the first answer, resident bytes after all
answers, the sha256 of all answers, and a mean cosine with those in the file that a fifth argument names (written
there when it does not exist).
"""

import hashlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from parkade_bench.peers.runtimes import open_run
from parkade_bench.peers.work import Rows, Run, open_work, read_items


def main(runtime: str, bundle: str, shard: str, lanes: str, other: str = "") -> None:
    """Answers every item of the shard."""

    def opened(model: Path, output: str) -> Run:
        return open_run(runtime, model, output)

    work = open_work(Path(bundle), opened)
    items = read_items(Path(bundle), Path(shard))
    work.answer(items[:1])
    ready = time.process_time()
    with ThreadPoolExecutor(int(lanes)) as threads:
        rows = np.concatenate(list(threads.map(work.answer, ([item] for item in items))))
    print(json.dumps(_told(rows, ready) | (_compared(rows, Path(other)) if other else {})))


def _told(rows: Rows, ready: float) -> dict[str, Any]:
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    digest = hashlib.sha256(rows.tobytes()).hexdigest()
    return {"ready_cpu_seconds": ready, "resident_bytes": 1024 * int(kilobytes), "sha256": digest}


def _compared(rows: Rows, other: Path) -> dict[str, Any]:
    """How alike *rows* are to those in the file *other*, which is written when it is not there."""
    if not other.exists():
        np.save(other, rows)
    others = np.load(other)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(others, axis=1)
    cosines = (rows * others).sum(axis=1) / lengths
    return {
        "equal_rows": float((rows == others).all(axis=1).mean()),
        "same_best": float((rows.argmax(axis=1) == others.argmax(axis=1)).mean()),
        "mean_cosine": float(cosines.mean()),
        "lowest_cosine": float(cosines.min()),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
