"""Builders for tests of shards/: a file root with an input and a bundle, and a vehicle that finishes shards.

Run as a program it plans or assembles a batch and dies at the n-th thing that it creates, as if the power had gone.
"""

import hashlib
import json
import os
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path

import orjson
from typing_extensions import override

from parkade_api.bundle import SCHEMA
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_core.batch import lines
from parkade_operator.shards.assembler import assemble
from parkade_operator.shards.files import FileRoot
from parkade_operator.shards.planner import make_plan
from parkade_operator.shards.spec import BatchSpec, Grant, GrantedShard
from parkade_operator.shards.store import BlockingStore

# ir_version 8 and an empty graph of 4 bytes: the outer shape of an ONNX file.
ONNX_SHAPE = b"\x08\x08\x3a\x04\x0a\x02ab"


def request(number: int, **changes: object) -> bytes:
    """One good input line, but for *changes*."""
    record = {
        "custom_id": f"doc-{number}",
        "method": "POST",
        "url": "/v1/embeddings",
        "body": {"model": "m", "input": f"text {number}"},
    }
    return orjson.dumps(record | changes, option=orjson.OPT_APPEND_NEWLINE)


def write_bundle(folder: Path, **changes: object) -> str:
    """A bundle of one INT8 variant; returns its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"model.int8.onnx": ONNX_SHAPE, "tokenizer.json": b"{}"}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    files = [
        {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in contents.items()
    ]
    variant = {"precision": "INT8", "file": "model.int8.onnx", "requires": "x86-avx2", "recipe": "dynamic"}
    manifest = {
        "schema": SCHEMA,
        "name": "minilm",
        "version": "1",
        "license": "Apache-2.0",
        "source": "a test",
        "task": "embedding",
        "input": {"kind": "text", "tokenizer": "tokenizer.json", "maxTokens": 128, "tensors": ["input_ids"]},
        "output": {"tensor": "out", "postprocess": "l2"},
        "files": files,
        "variants": [variant],
    }
    data = json.dumps(manifest | changes).encode()
    (folder / "bundle.json").write_bytes(data)
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Ground:
    """A store and a file root in a test's folder, with a bundle and an input in namespace `team`."""

    def __init__(self, folder: Path, records: int = 10) -> None:
        self.store_root = folder / "store"
        self.files_root = folder / "files"
        self.team = self.files_root / "team"
        self.digest = write_bundle(self.team / "bundle")
        self.write_input(b"".join(request(number) for number in range(records)))

    def write_input(self, data: bytes) -> None:
        """Put another input in place."""
        (self.team / "docs.jsonl").write_bytes(data)

    def spec(self, **changes: object) -> BatchSpec:
        """A batch over that input, three records a shard."""
        fields: dict[str, object] = {
            "uid": "0b5e4f0c-51a4-4a35-9a31-6f0f4b5f7a01",
            "namespace": "team",
            "name": "docs",
            "model_uri": "file:///bundle",
            "model_digest": self.digest,
            "input_uri": "file:///docs.jsonl",
            "input_digest": "",
            "output_uri": "file:///results/",
            "error_uri": "",
            "records_per_shard": 3,
        }
        return BatchSpec(**(fields | changes))  # type: ignore[arg-type]

    def store(self) -> BlockingStore:
        """The platform store."""
        return BlockingStore(self.store_root)

    def files(self) -> FileRoot:
        """The file root."""
        return FileRoot(self.files_root)

    def tree(self) -> dict[str, bytes]:
        """Every file of the store and of the results, with its bytes."""
        roots = (self.store_root, self.team / "results")
        paths = [path for root in roots for path in root.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.files_root.parent)): path.read_bytes() for path in paths}


def finish(data: bytes, input_digest: str) -> tuple[bytes, int, int, int]:
    """Work on a shard as a sidecar would, with an exact toy model; texts that are empty fail.

    Returns the result's bytes, the size of its output part, and the records that succeeded and failed.
    """
    output, errors = [], []
    for row in map(orjson.loads, data.splitlines()):
        text = row["body"]["input"]
        if text:
            body = {"data": [{"embedding": [float(len(text))]}]}
            output.append(lines.output_line(input_digest, row["line"], row["custom_id"], body))
        else:
            errors.append(
                lines.error_line(input_digest, row["line"], row["custom_id"], "EmptyText", "no text")
            )
    joined = b"".join(output)
    return joined + b"".join(errors), len(joined), len(output), len(errors)


def pack(
    uid: str, lease: str, number: int, results: Iterable[tuple[GrantedShard, bytes]], input_digest: str
) -> tuple[fleet_pb2.PieceHeader, bytes]:
    """A piece as an agent would send it: for each granted shard and its bytes, the finished result."""
    header = fleet_pb2.PieceHeader(batch_uid=uid, lease=lease, piece=number)
    piece = b""
    for granted, data in results:
        result, output_size, succeeded, failed = finish(data, input_digest)
        header.results.add(
            shard=granted.shard,
            attempt=granted.attempt,
            offset=len(piece),
            size=len(result),
            output_size=output_size,
            sha256=hashlib.sha256(result).hexdigest(),
            succeeded=succeeded,
            failed=failed,
        )
        piece += result
    header.sha256 = hashlib.sha256(piece).hexdigest()
    return header, piece


def again(grant: Grant) -> Grant:
    """The same shards under a lease and attempts of their own, as another vehicle would hold them."""
    shards = tuple(
        GrantedShard(s.shard, str(uuid.uuid4()), s.records, s.size, s.sha256) for s in grant.shards
    )
    return Grant(str(uuid.uuid4()), shards)


class _Countdown:
    def __init__(self, creates: int, *, after: bool) -> None:
        self._left = creates
        self._after = after

    def before(self) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            os._exit(9)

    def after(self) -> None:
        if self._left == 0 and self._after:
            os._exit(9)


class DyingStore(BlockingStore):
    """A store whose process dies before or after its n-th create."""

    def __init__(self, root: Path, countdown: _Countdown) -> None:
        super().__init__(root)
        self._countdown = countdown

    @override
    def create(self, key: str, parts: Iterable[bytes]) -> None:
        self._countdown.before()
        super().create(key, parts)
        self._countdown.after()


class DyingFiles(FileRoot):
    """A file root whose process dies before or after its n-th create."""

    def __init__(self, root: Path, countdown: _Countdown) -> None:
        super().__init__(root)
        self._countdown = countdown

    @override
    def create(self, namespace: str, uri: str, parts: Iterable[bytes]) -> None:
        self._countdown.before()
        super().create(namespace, uri, parts)
        self._countdown.after()


def main(work: str, folder: str, creates: int, when: str) -> None:
    """Plan or assemble the batch of a `Ground`; exit 9 at the n-th create, 0 when there were fewer."""
    ground = Ground.__new__(Ground)
    ground.store_root, ground.files_root = Path(folder) / "store", Path(folder) / "files"
    ground.digest = (
        f"sha256:{hashlib.sha256((ground.files_root / 'team/bundle/bundle.json').read_bytes()).hexdigest()}"
    )
    countdown = _Countdown(creates, after=when == "after")
    store = DyingStore(ground.store_root, countdown)
    files = DyingFiles(ground.files_root, countdown)
    {"plan": make_plan, "assemble": assemble}[work](ground.spec(), store, files)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
