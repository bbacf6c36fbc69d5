"""The proof of the demo: it passes on right results and names the first difference of wrong ones."""

import ast
import hashlib
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from parkade_agent.sidecar.checkpoint import Checkpoint
from parkade_agent.sidecar.folder import SlotFolder
from parkade_agent.sidecar.shard import Record as ShardRecord
from parkade_agent.sidecar.shard import ShardRun
from parkade_api.bundle import EMBEDDINGS
from parkade_core.batch.lines import error_line, line_of_error
from parkade_core.batch.record import Record, Repeats, check_line
from parkade_models.bundle import Bundle
from parkade_models.tasks.embedding import EmbeddingTask


def _record(custom_id: str, text: object) -> bytes:
    body = {"model": "m", "input": text}
    return orjson.dumps({"custom_id": custom_id, "method": "POST", "url": "/v1/embeddings", "body": body})


LINES = (
    _record("a", "Open a file."),
    b"{broken",
    _record("b", "Sort a list."),
    _record("a", "The same custom_id again."),
    b"",
    _record("c", "  "),
    b'{"method": "POST", "url": "/v1/embeddings", "body": {"input": "no custom_id"}}',
    _record("d", ["a", "list"]),
    _record("e", "Wait for a process to end. " * 40),
    _record("f", "é 漢字 🚙"),
)


@dataclass(frozen=True)
class Batch:
    """A finished batch on disk."""

    root: Path
    folder: Path
    bundle: Path

    def prove(self) -> subprocess.CompletedProcess[str]:
        """Runs the proof on the files as they are now."""
        files = (
            self.folder / "input.jsonl",
            self.bundle,
            self.folder / "output.jsonl",
            self.folder / "errors.jsonl",
        )
        command = [sys.executable, "examples/proof.py", *map(str, files)]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)

    def change(self, name: str, edit: Callable[[list[bytes]], list[bytes]]) -> None:
        """Rewrites the lines of a result file."""
        path = self.folder / name
        path.write_bytes(b"".join(edit(path.read_bytes().splitlines(keepends=True))))


@pytest.fixture
def batch(root: Path, tmp_path: Path, int8_bundle: Bundle, embedding_task: EmbeddingTask) -> Batch:
    """A batch as our own code answers it, bad lines and all."""
    content = b"\n".join(LINES)
    (tmp_path / "input.jsonl").write_bytes(content)
    outputs, errors = _answer(content, embedding_task, tmp_path)
    (tmp_path / "output.jsonl").write_bytes(outputs)
    (tmp_path / "errors.jsonl").write_bytes(errors)
    return Batch(root, tmp_path, int8_bundle.folder)


def _answer(content: bytes, task: EmbeddingTask, folder: Path) -> tuple[bytes, bytes]:
    digest, repeats = f"sha256:{hashlib.sha256(content).hexdigest()}", Repeats()
    checked = [
        repeats.check(check_line(raw, n, EMBEDDINGS)) for n, raw in enumerate(LINES, start=1) if raw.strip()
    ]
    good = [ShardRecord(**orjson.loads(one.encoded)) for one in checked if isinstance(one, Record)]
    rejects = [
        error_line(digest, one.line, one.custom_id, one.code, one.message)
        for one in checked
        if not isinstance(one, Record)
    ]
    with closing(Checkpoint(SlotFolder(folder), bytes(32), len(good))) as checkpoint:
        run = ShardRun(task, good, digest, checkpoint)
        while (start := run.take()) is not None:
            run.run(start)
    result = run.result()
    failed = result.content[result.output_size :].splitlines(keepends=True)
    return result.content[: result.output_size], b"".join(sorted(rejects + failed, key=line_of_error))


def test_right_results_pass(batch: Batch) -> None:
    """The proof counts what it compared and ends with a line of JSON."""
    done = batch.prove()
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["records"], report["errors"]) == (4, 5)
    assert report["raw_cpu_ms_per_record"] > 0


def _swap(lines: list[bytes]) -> list[bytes]:
    return [lines[1], lines[0], *lines[2:]]


def _swap_vectors(lines: list[bytes]) -> list[bytes]:
    rows = [orjson.loads(line) for line in lines]
    bodies = [row["response"]["body"] for row in rows]
    rows[0]["response"]["body"], rows[1]["response"]["body"] = bodies[1], bodies[0]
    return [orjson.dumps(row) + b"\n" for row in rows]


@pytest.mark.parametrize("name", ["output.jsonl", "errors.jsonl"])
@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (_swap, "what input line 1 must|input line 2 cannot be embedded"),
        (lambda lines: lines[1:], "what input line 1 must|input line 2 cannot be embedded"),
        (lambda lines: lines[:-1], "must give|cannot be embedded"),
        (lambda lines: [*lines, lines[-1]], "that no input line asked for"),
        (lambda lines: [lines[0], *lines], "must give"),
        (lambda lines: [*lines[:-1], lines[-1].rstrip()], "does not end with a whole line"),
    ],
    ids=["swapped", "first dropped", "last dropped", "last doubled", "first doubled", "cut"],
)
def test_rows_out_of_place_fail(
    batch: Batch, name: str, edit: Callable[[list[bytes]], list[bytes]], sentence: str
) -> None:
    """A row that is swapped, dropped, doubled or cut fails the proof, which names the place."""
    batch.change(name, edit)
    done = batch.prove()
    assert done.returncode == 1
    assert done.stderr.startswith("proof failed: ")
    assert any(part in done.stderr for part in sentence.split("|")), done.stderr


def test_vectors_under_another_id_fail(batch: Batch) -> None:
    """Two records that swap their vectors and keep their ids fail."""
    batch.change("output.jsonl", _swap_vectors)
    assert "what input line 1 must give" in batch.prove().stderr


@pytest.mark.parametrize("seed", range(8))
def test_one_changed_byte_fails(batch: Batch, seed: int) -> None:
    """Any one byte of the output changed to another digit, letter or sign fails the proof."""
    chance = random.Random(seed)  # noqa: S311 - a seed, so that a failure can be repeated
    path = batch.folder / "output.jsonl"
    content = bytearray(path.read_bytes())
    place = chance.randrange(len(content))
    content[place] = chance.choice([byte for byte in b'0123456789-.eEax \n"{' if byte != content[place]])
    path.write_bytes(content)
    done = batch.prove()
    assert done.returncode == 1, f"byte {place} of {len(content)}"
    assert done.stderr.startswith("proof failed: ")


def test_another_notation_of_a_number_fails(batch: Batch) -> None:
    """`4.8E-2` is the value of `0.048` and still other bytes."""
    path = batch.folder / "output.jsonl"
    content = path.read_bytes()
    path.write_bytes(re.sub(rb"0\.0([1-9])(\d+)", rb"\1.\2E-2", content, count=1))
    assert path.read_bytes() != content
    assert "must give" in batch.prove().stderr


def test_an_error_under_another_custom_id_fails(batch: Batch) -> None:
    """errors.jsonl tells each line under the custom_id that the line itself has."""
    batch.change("errors.jsonl", lambda lines: [*lines[:-1], lines[-1].replace(b'"d"', b'"x"')])
    assert "has another custom_id for line" in batch.prove().stderr


def test_last_digit_of_a_number_counts(batch: Batch) -> None:
    """The last digit of a vector's number, which may be below what float32 can hold, counts as well."""
    path = batch.folder / "output.jsonl"
    head, bracket, tail = path.read_bytes().partition(b"]")
    path.write_bytes(head[:-1] + (b"1" if head[-1:] != b"1" else b"2") + bracket + tail)
    assert "must give" in batch.prove().stderr


def test_proof_imports_nothing_of_ours(root: Path) -> None:
    """The proof stands on its own: no import of Parkade."""
    tree = ast.parse((root / "examples" / "proof.py").read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert names
    assert not [name for name in names if "parkade" in name]
