"""The documents batch and its labelled task."""

import sysconfig
from pathlib import Path

import numpy as np
import orjson
import pytest

from parkade_api.bundle import EMBEDDINGS
from parkade_core.batch.record import Record, check_line
from parkade_models.docstrings import Document, batch_lines, find_documents, sample
from parkade_models.quality import embed_input, fp32_output
from parkade_models.retrieval import mean_reciprocal_rank, pairs_of
from parkade_models.tasks.embedding import EmbeddingTask

MODULE = '''"""The first line of the module.

A body that says much more about the module than its first line could ever say to anybody.
"""

class Pool:
    """Vehicles that belong together.

    A body that says much more about the class than its first line could ever say to anybody.
    """

    def grow(self):
        """Short."""
'''


def test_documents_are_docstrings_with_a_body(tmp_path: Path) -> None:
    """Modules and classes give documents named by their path; a docstring of one line gives none."""
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "pool.py").write_text(MODULE)
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "pool.py").write_text(MODULE)
    found = list(find_documents(tmp_path))
    assert [document.name for document in found] == ["fleet.pool", "fleet.pool.Pool"]
    assert found[1].query == "Vehicles that belong together."
    assert found[1].body.startswith("A body that says")


def test_no_text_appears_twice(tmp_path: Path) -> None:
    """A docstring that another module repeats is taken once, or the right answer would not be the only one."""
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(MODULE)
    assert [document.name for document in find_documents(tmp_path)] == ["a", "a.Pool"]


def test_the_library_gives_two_thousand_good_records() -> None:
    """The standard library gives 2,000 records that planning accepts, the same ones each time."""
    documents = sample(list(find_documents(Path(sysconfig.get_path("stdlib")))), 1_000)
    lines = list(batch_lines(documents))
    checked = [check_line(line, number, EMBEDDINGS) for number, line in enumerate(lines, start=1)]
    assert len(lines) == 2_000
    assert all(isinstance(record, Record) for record in checked)
    assert len({record.custom_id for record in checked}) == 2_000


@pytest.mark.parametrize(
    ("count", "names"), [(2, ["0", "5"]), (3, ["0", "3", "6"]), (99, list("0123456789"))]
)
def test_sample_is_evenly_spaced(count: int, names: list[str]) -> None:
    """A sample takes every part of the library; asking for more than there is gives all."""
    documents = [Document(str(number), "", "") for number in range(10)]
    assert [document.name for document in sample(documents, count)] == names


def _rows(*rows: list[float]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array(rows, np.float32)


@pytest.mark.parametrize(
    ("queries", "bodies", "expected"),
    [
        (_rows([1, 0], [0, 1]), _rows([1, 0], [0, 1]), 1.0),
        (_rows([1, 0], [0, 1]), _rows([0, 1], [1, 0]), 0.5),
        (_rows([1, 0], [1, 0]), _rows([1, 0], [1, 0]), 0.5),
    ],
)
def test_mean_reciprocal_rank(queries: np.ndarray, bodies: np.ndarray, expected: float) -> None:  # type: ignore[type-arg]
    """The right body first counts one, second a half; a tie counts as the worse place."""
    assert mean_reciprocal_rank(queries, bodies) == expected


def test_ranks_beyond_ten_count_nothing() -> None:
    """A right body in eleventh place is not found."""
    bodies = np.vstack([_rows([0, 1]), *[_rows([1, 0])] * 10])
    queries = np.vstack([_rows([1, 0]), *[_rows([0, 0])] * 10])
    assert mean_reciprocal_rank(queries, bodies) == 0.0
    assert mean_reciprocal_rank(queries, bodies, depth=11) > 0.0


def test_output_file_gives_its_pairs_back(embedding_task: EmbeddingTask) -> None:
    """Vectors read from output lines are the vectors that were written, bit for bit."""
    documents = [Document("a", "Add two numbers.", "The sum."), Document("b", "Open a file.", "A handle.")]
    lines = list(batch_lines(documents))
    output = embed_input(b"".join(lines), embedding_task.bundle)
    queries, bodies = pairs_of(b"".join(output.splitlines(keepends=True)[:3]))
    assert queries.tobytes() == embedding_task.embed("Add two numbers.")[0].tobytes()
    assert bodies.tobytes() == embedding_task.embed("The sum.")[0].tobytes()


def test_float32_vectors_are_computed_once(
    embedding_task: EmbeddingTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second call reads the cache, which is keyed by input and bundle."""
    monkeypatch.setenv("PARKADE_CACHE", str(tmp_path))
    line = next(batch_lines([Document("a", "Add two numbers.", "The sum.")]))
    first = fp32_output(line, embedding_task.bundle)
    (kept,) = (tmp_path / "fp32").glob("*.jsonl")
    assert kept.read_bytes() == first
    kept.write_bytes(b"kept")
    assert fp32_output(line, embedding_task.bundle) == b"kept"
    assert orjson.loads(first)["custom_id"] == "a:query"
