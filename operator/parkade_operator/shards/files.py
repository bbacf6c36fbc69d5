"""The file root: users' inputs, bundles and outputs.

`file:///docs.jsonl` in namespace `team` is `<root>/team/docs.jsonl`. Every part of a path is opened from the
folder before it and symbolic links are refused, so no URI leaves its namespace's folder, whatever a tenant
puts there. Outputs are created durably, by the same code as the platform store.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from parkade_operator.shards import durable
from parkade_operator.shards.errors import FileRefused

CHUNK_BYTES: Final = 1024 * 1024

_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileRoot:
    """The folder whose subfolders, one a namespace, `file:` URIs speak of."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def open(self, namespace: str, uri: str) -> Iterator[BufferedReader]:
        """Open a regular file for reading. Raises FileRefused, OSError."""
        *folders, name = _parts(namespace, uri)
        with self._folder(folders, make=False) as folder:
            handle = os.open(name, _READ, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise FileRefused(f"{uri} is not a regular file")
            with os.fdopen(handle, "rb", closefd=False) as file:
                yield file
        finally:
            os.close(handle)

    def create(self, namespace: str, uri: str, parts: Iterable[bytes]) -> None:
        """Create a file durably, and folders that it needs. Raises FileExistsError, FileRefused, OSError."""
        *folders, name = _parts(namespace, uri)
        with self._folder(folders, make=True) as folder:
            durable.create(folder, name, parts)

    def digest(self, namespace: str, uri: str) -> str:
        """The hex sha256 of a file. Raises FileRefused, OSError."""
        with self.open(namespace, uri) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @contextmanager
    def _folder(self, parts: list[str], *, make: bool) -> Iterator[int]:
        root = durable.open_root(str(self.root))
        try:
            folder = durable.open_folder(root, parts, make_from=0 if make else None)
        finally:
            os.close(root)
        try:
            yield folder
        finally:
            os.close(folder)


def join(uri: str, name: str) -> str:
    """The URI of *name* in the folder at *uri*."""
    return f"{uri}{name}" if uri.endswith("/") else f"{uri}/{name}"


def _parts(namespace: str, uri: str) -> list[str]:
    if not _NAMESPACE.fullmatch(namespace):
        raise FileRefused(f"{namespace!r} is no namespace")
    try:
        url = urlsplit(uri)
        parts = [unquote(part, errors="strict") for part in url.path.split("/")]
    except ValueError as error:
        raise FileRefused(f"{uri} is not a URI: {error}") from error
    if url.scheme != "file":
        raise FileRefused(f"{uri} has scheme {url.scheme!r}; this gateway serves file:///path")
    if url.netloc or url.query or url.fragment or parts[0]:
        raise FileRefused(f"{uri} is not of the form file:///path")
    if not all(_is_name(part) for part in parts[1:]):
        raise FileRefused(f"{uri} holds an empty part, '.', '..' or a separator; write the plain path")
    return [namespace, *parts[1:]]


def _is_name(part: str) -> bool:
    return part not in {"", ".", ".."} and "/" not in part and "\0" not in part
