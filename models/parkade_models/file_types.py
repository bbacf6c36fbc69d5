"""Files of this machine whose type is known, as labelled data for magika.

A file counts when its name has a suffix with one meaning and its first bytes do not contradict it. Which files there
are depends on the machine; their order is that of their paths.
"""

import base64
import os
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from parkade_models.search.evaluation import Example

BLOCK: Final = 4096
"""Bytes at either end of a file that magika looks at."""

_Item = TypeVar("_Item")
_EACH: Final = 30
_SHORTEST: Final = 512  # bytes; shorter texts are often no example of their kind


@dataclass(frozen=True, slots=True)
class _Kind:
    label: str
    """As magika names it."""

    suffix: str
    magic: bytes = b""
    """What every such file begins with."""


_KINDS: Final = (
    _Kind("c", ".c"),
    _Kind("css", ".css"),
    _Kind("csv", ".csv"),
    _Kind("elf", ".so", b"\x7fELF"),
    _Kind("gzip", ".gz", b"\x1f\x8b\x08"),
    _Kind("html", ".html", b"<"),
    _Kind("javascript", ".js"),
    _Kind("jpeg", ".jpg", b"\xff\xd8\xff"),
    _Kind("json", ".json", b"{"),
    _Kind("npy", ".npy", b"\x93NUMPY"),
    _Kind("npz", ".npz", b"PK\x03\x04"),
    _Kind("onnx", ".onnx", b"\x08"),
    _Kind("pdf", ".pdf", b"%PDF-"),
    _Kind("pebin", ".exe", b"MZ"),
    _Kind("png", ".png", b"\x89PNG\r\n\x1a\n"),
    _Kind("python", ".py"),
    _Kind("pythonbytecode", ".pyc"),
    _Kind("rst", ".rst"),
    _Kind("svg", ".svg", b"<"),
    _Kind("ttf", ".ttf", b"\x00\x01\x00\x00"),
)


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file and what it is."""

    path: Path
    label: str

    def content(self) -> bytes:
        """Its bytes; of a long file only the first and the last block, which give magika's row of the whole."""
        with self.path.open("rb") as file:
            first = file.read(BLOCK)
            if self.path.stat().st_size <= 2 * BLOCK:
                return first + file.read()
            file.seek(-BLOCK, 2)
            return first + file.read()


def known_files(*roots: Path) -> list[KnownFile]:
    """Known files below *roots*, or of Python's library and packages: at most 30 of a kind, no two of one content."""
    folders = roots or tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platlib"))
    paths = [path for folder in folders for path in sorted(_paths(folder))]
    unique: dict[bytes, KnownFile] = {}
    for kind in _KINDS:
        for file in _of_kind(kind, paths):
            unique.setdefault(file.content(), file)
    return list(unique.values())


def examples(files: Iterable[KnownFile]) -> list[Example]:
    """The files as data that a recipe search takes."""
    return [Example(base64.b64encode(file.content()).decode(), file.label) for file in files]


def _paths(folder: Path) -> Iterator[Path]:
    """Every file below *folder*; packages that were put into Python's own library are not part of it."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "site-packages"]
        yield from (Path(parent, name) for name in names)


def _of_kind(kind: _Kind, paths: Sequence[Path]) -> list[KnownFile]:
    named = _spaced([path for path in paths if path.suffix == kind.suffix], 4 * _EACH)
    return _spaced([KnownFile(path, kind.label) for path in named if _is_of(kind, path)], _EACH)


def _is_of(kind: _Kind, path: Path) -> bool:
    if path.stat().st_size < _SHORTEST:
        return False
    with path.open("rb") as file:
        return file.read(len(kind.magic)) == kind.magic


def _spaced(items: list[_Item], count: int) -> list[_Item]:
    """At most *count* of the items, evenly spaced."""
    if len(items) <= count:
        return items
    return [items[index * len(items) // count] for index in range(count)]
