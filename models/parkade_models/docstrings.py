"""`python -m parkade_models.docstrings OUT.jsonl`: real documents, each with a right answer.

Every docstring of the standard library that has a first line and a body gives two records: `<name>:query`
(the first line) and `<name>:body`. The task: the query's nearest body is its own, so quality can be computed
from output.jsonl alone. The records are the same for the same version of Python.
"""

import argparse
import ast
import inspect
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from parkade_models.minilm_source import NAME

QUERY: Final = ":query"
BODY: Final = ":body"

_RECORDS: Final = 2_000
_SHORTEST_QUERY: Final = 20  # characters; below that a first line names nothing
_SHORTEST_BODY: Final = 80
_SKIPPED: Final = frozenset({"site-packages", "test", "tests", "idle_test", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Document:
    """A docstring of the standard library, cut after its first line."""

    name: str
    query: str
    body: str


def main() -> None:
    """Writes the batch input named on the command line."""
    parser = argparse.ArgumentParser(description="Make an embeddings batch out of the standard library.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--records", type=int, default=_RECORDS, help="two for each docstring")
    arguments = parser.parse_args()
    documents = sample(list(find_documents(Path(sysconfig.get_path("stdlib")))), arguments.records // 2)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_bytes(b"".join(batch_lines(documents)))
    sys.stderr.write(f"docstrings: wrote {2 * len(documents)} records to {arguments.out}\n")


def find_documents(stdlib: Path) -> Iterator[Document]:
    """Documents of every module below *stdlib* in the order of their paths; no text appears twice."""
    seen: set[str] = set()
    for path in sorted(stdlib.rglob("*.py")):
        relative = path.relative_to(stdlib)
        if _SKIPPED.isdisjoint(relative.parts):
            for document in _documents_of(path, ".".join(relative.with_suffix("").parts)):
                texts = {document.name, document.query, document.body}
                if seen.isdisjoint(texts):
                    seen |= texts
                    yield document


def sample(documents: list[Document], count: int) -> list[Document]:
    """*count* documents, evenly spaced, so that every part of the library has its share."""
    if count >= len(documents):
        return documents
    return [documents[index * len(documents) // count] for index in range(count)]


def batch_lines(documents: list[Document]) -> Iterator[bytes]:
    """The lines of an OpenAI batch input file: first line and body of each document."""
    for document in documents:
        yield _line(document.name + QUERY, document.query)
        yield _line(document.name + BODY, document.body)


def _documents_of(path: Path, module: str) -> Iterator[Document]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old escapes in the library's own strings
        tree = ast.parse(path.read_bytes())
    yield from _walk(tree, module)


def _walk(node: ast.AST, name: str) -> Iterator[Document]:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        query, _, body = inspect.cleandoc(ast.get_docstring(node) or "").partition("\n")
        query, body = query.strip(), body.strip()
        if len(query) >= _SHORTEST_QUERY and len(body) >= _SHORTEST_BODY:
            yield Document(name, query, body)
    for child in ast.iter_child_nodes(node):
        own = getattr(child, "name", None)
        yield from _walk(child, f"{name}.{own}" if isinstance(own, str) else name)


def _line(custom_id: str, text: str) -> bytes:
    body = {"model": NAME, "input": text}
    record = {"custom_id": custom_id, "method": "POST", "url": "/v1/embeddings", "body": body}
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    main()
