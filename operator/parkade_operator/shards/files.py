"""The file root: users' inputs, bundles and outputs.

`file:///docs.jsonl` in namespace `team` is `<root>/team/docs.jsonl`. Every part of a path is opened from the
folder before it and symbolic links are refused, so no URI leaves its namespace's folder, whatever a tenant
puts there. Outputs are created durably, by the same code as the platform store.
"""

import errno
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

from parkade_api.wellknown import BatchReason
from parkade_operator.shards import durable
from parkade_operator.shards.errors import BatchFailure, FileRefused, ShardsError, StoreUnavailable

CHUNK_BYTES: Final = 1024 * 1024

# Troubles of the platform, not of the file: what was asked for may work later.
MAY_PASS: Final = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)

_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileRoot:
    """The folder whose subfolders, one a namespace, `file:` URIs speak of; without one, every URI is refused."""

    def __init__(self, root: Path | None) -> None:
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
        root = self._open_root()
        try:
            folder = durable.open_folder(root, parts, make_from=0 if make else None)
        finally:
            os.close(root)
        try:
            yield folder
        finally:
            os.close(folder)

    def _open_root(self) -> int:
        if self.root is None:
            raise FileRefused("this gateway serves no files: its administrator has set no file root")
        try:
            return durable.open_root(str(self.root))
        except OSError as error:
            message = f"the gateway's file root cannot be opened: {error.strerror}"
            raise StoreUnavailable(message) from error


def version_of(file: BufferedReader) -> tuple[int, ...]:
    """What differs after somebody wrote to an open file."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def unreadable(reason: BatchReason, uri: str, error: OSError | FileRefused) -> ShardsError:
    """What to raise when a file of the user cannot be read: its own fault, or one of the platform that may pass."""
    if isinstance(error, OSError) and error.errno in MAY_PASS:
        return StoreUnavailable(f"{uri} cannot be read now: {error.strerror}")
    problem = error.strerror if isinstance(error, OSError) else str(error)
    return BatchFailure(reason, f"{uri} cannot be read: {problem}")


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
