"""The best that this machine can do: threads that call onnxruntime in this process, nothing around them.

A worker: reads one JSON object a line (`threads`, `rows`, and `result` to also write an output file), does all
items once, and answers with one JSON object a line.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from parkade_bench.peers.work import Chunks, Work, item_of, open_work, read_items, read_manifest


def main(bundle: str, shard: str) -> None:
    """Answers until the input ends."""
    work = open_work(Path(bundle))
    items = read_items(Path(bundle), Path(shard))
    work.answer(items[:1])
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        begun = time.perf_counter()
        if "result" in order:
            _file_to_file(Path(bundle), work, Path(shard), order)
        else:
            rows = _rows(work, items, order)
        seconds = time.perf_counter() - begun
        if "save" in order:
            np.save(order["save"], rows)
        print(json.dumps({"items": len(items), "seconds": seconds}), flush=True)


def _rows(work: Work, items: list[bytes], order: dict[str, Any]) -> Any:
    chunks = Chunks(len(items), order["rows"])
    found: dict[int, Any] = {}

    def lane() -> None:
        for chunk in chunks:
            found[chunk.start] = work.answer(items[chunk])

    _on_threads(order["threads"], lane)
    return np.concatenate([found[start] for start in sorted(found)])


def _file_to_file(bundle: Path, work: Work, shard: Path, order: dict[str, Any]) -> None:
    """As a shard by reference: JSON lines in, JSON lines out."""
    manifest = read_manifest(bundle)
    lines = shard.read_bytes().splitlines()
    chunks = Chunks(len(lines), order["rows"])
    found: dict[int, bytes] = {}

    def lane() -> None:
        for chunk in chunks:
            records = [orjson.loads(line) for line in lines[chunk]]
            rows = work.answer([item_of(manifest, record["body"]) for record in records])
            for at, (record, row) in enumerate(zip(records, rows, strict=True), chunk.start):
                answer = {"custom_id": record["custom_id"], "answer": row}
                found[at] = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)

    _on_threads(order["threads"], lane)
    Path(order["result"]).write_bytes(b"\n".join(found[at] for at in sorted(found)))


def _on_threads(count: int, lane: Any) -> None:
    with ThreadPoolExecutor(count) as threads:
        for future in [threads.submit(lane) for _ in range(count)]:
            future.result()


if __name__ == "__main__":
    main(*sys.argv[1:])
