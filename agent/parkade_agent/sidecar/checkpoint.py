"""The finished records of the shard under way, kept in a file so that whoever runs it again need not redo them.

The file is the shard's key and then one entry a record: index, kind, length, checksum, line. It is only appended
to, so a sidecar that dies leaves at worst a torn last entry, which is ignored. It is not synchronized to the
disk: it outlives the process, not the vehicle's power. The slot keeps one, for the shard that ran last.
"""

import hashlib
import struct
import zlib
from collections.abc import Mapping
from typing import Final

import structlog

from parkade_agent.sidecar.folder import SlotFolder

Row = tuple[bool, bytes]
"""Whether a record succeeded, and its line of the result."""

FILE_NAME: Final = ".checkpoint"
_ENTRY: Final = struct.Struct("<IBII")
_KEY_BYTES: Final = hashlib.sha256().digest_size
_log = structlog.get_logger()


def shard_key(input_sha256: str, input_digest: str, bundle_digest: str) -> bytes:
    """What a shard's lines depend on: its bytes, the input that they are part of, and the model."""
    return hashlib.sha256(f"{input_sha256} {input_digest} {bundle_digest}".encode()).digest()


def encode(key: bytes, rows: Mapping[int, Row]) -> bytes:
    """The entries of finished records by their index in the shard."""
    return b"".join(_entry(key, index, int(succeeded), line) for index, (succeeded, line) in rows.items())


def _entry(key: bytes, index: int, kind: int, line: bytes) -> bytes:
    return _ENTRY.pack(index, kind, len(line), _checksum(key, index, kind, line)) + line


def decode(content: bytes, key: bytes, total: int) -> tuple[dict[int, Row], int]:
    """The finished records of the shard with that key and *total* records, and how many bytes of the file are sound.

    Nothing of a file of another shard, and nothing from the first entry on that is torn or damaged.
    """
    rows: dict[int, Row] = {}
    if content[:_KEY_BYTES] != key:
        return rows, 0
    end = _KEY_BYTES
    while end + _ENTRY.size <= len(content):
        index, kind, size, checksum = _ENTRY.unpack_from(content, end)
        start = end + _ENTRY.size
        line = content[start : start + size]
        if index >= total or len(line) < size or checksum != _checksum(key, index, kind, line):
            break
        rows[index] = bool(kind), line
        end = start + size
    return rows, end


def _checksum(key: bytes, index: int, kind: int, line: bytes) -> int:
    # With the key in it, an entry that a lane of the last shard still wrote is none of this one.
    return zlib.crc32(line, zlib.crc32(key + struct.pack("<IB", index, kind)))


class Checkpoint:
    """The checkpoint of the shard with that key and *total* records. Raises FileRefusedError or OSError."""

    def __init__(self, folder: SlotFolder, key: bytes, total: int) -> None:
        self._folder = folder
        self._key = key
        self._file = folder.open_own(FILE_NAME)
        self._is_broken = False
        self.rows, sound = decode(self._file.readall(), key, total)
        """The records that were finished when it was opened, by index."""
        self._file.truncate(sound)
        if not sound:
            self._file.write(key)

    def keep(self, rows: Mapping[int, Row]) -> None:
        """Adds finished records; any lane may call it. On a full disk the shard goes on without a checkpoint."""
        if self._is_broken:
            return
        try:
            self._file.write(encode(self._key, rows))
        except OSError as error:
            _log.warning("no checkpoint is kept of this shard", error=error.strerror)
            self._is_broken = True

    def close(self) -> None:
        """Lets the file be, for the next run of the shard."""
        self._file.close()

    def remove(self) -> None:
        """Removes the file: the shard has its result."""
        self.close()
        self._folder.remove_own(FILE_NAME)
