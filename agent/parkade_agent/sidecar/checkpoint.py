"""The finished records of the shard under way, kept in a file so that whoever runs it again need not redo them.

The file is the shard's key and then one entry a record: index, kind, length, checksum, line. It is only appended
to, so a sidecar that dies leaves at worst a torn last entry, which is ignored. It is not synchronized to the
disk: it outlives the process, not the vehicle's power. The slot keeps one, for the shard that ran last.

A record that took 20 ms or more is written at once, quicker ones when together they took that: appending by itself
would cost a record of 3 ms two hundredths of its time. So however many lanes there are and however long they are
stopped, a killed sidecar redoes less than 20 ms of work besides the records in hand.
"""

import hashlib
import struct
import threading
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import structlog

from parkade_agent.sidecar.folder import SlotFolder

Row = tuple[bool, bytes]
"""Whether a record succeeded, and its line of the result."""

FILE_NAME: Final = ".checkpoint"
_HEAD: Final = struct.Struct("<IBI")
_CHECKSUM: Final = struct.Struct("<I")
_WRITE_SECONDS: Final = 0.02
_KEY_BYTES: Final = hashlib.sha256().digest_size
_log = structlog.get_logger()


def shard_key(input_sha256: str, input_digest: str, bundle_digest: str, reproducibility_class: str) -> bytes:
    """What a shard's lines depend on: its bytes, the input that they are part of, the model, and what runs it."""
    parts = (input_sha256, input_digest, bundle_digest, reproducibility_class)
    return hashlib.sha256(" ".join(parts).encode()).digest()


def encode(key: bytes, index: int, row: Row) -> bytes:
    """The entry of one finished record by its index in the shard."""
    succeeded, line = row
    head = _HEAD.pack(index, succeeded, len(line))
    return head + _CHECKSUM.pack(_checksum(key, head, line)) + line


def decode(content: bytes, key: bytes, total: int) -> tuple[dict[int, Row], int]:
    """The finished records of the shard with that key and *total* records, and how many bytes of the file are sound.

    Nothing of a file of another shard, and nothing from the first entry on that is torn or damaged.
    """
    rows: dict[int, Row] = {}
    if content[:_KEY_BYTES] != key:
        return rows, 0
    end = _KEY_BYTES
    while (start := end + _HEAD.size + _CHECKSUM.size) <= len(content):
        head = content[end : end + _HEAD.size]
        index, kind, size = _HEAD.unpack(head)
        (checksum,) = _CHECKSUM.unpack_from(content, start - _CHECKSUM.size)
        line = content[start : start + size]
        if index >= total or len(line) < size or checksum != _checksum(key, head, line):
            break
        rows[index] = bool(kind), line
        end = start + size
    return rows, end


def _checksum(key: bytes, head: bytes, line: bytes) -> int:
    # With the key in it, an entry that a lane of the last shard still wrote is none of this one.
    return zlib.crc32(line, zlib.crc32(key + head))


class Checkpoint:
    """The checkpoint of the shard with that key and *total* records. Raises FileRefusedError or OSError."""

    def __init__(self, folder: SlotFolder, key: bytes, total: int) -> None:
        self._folder = folder
        self._key = key
        self._file = folder.open_own(FILE_NAME)
        self._lock = threading.Lock()
        self.rows, self._size = decode(self._file.readall(), key, total)
        """The records that were finished when it was opened, by index."""
        self._file.truncate(self._size)
        self._unwritten = [] if self._size else [key]
        self._unwritten_seconds = 0.0

    def keep(self, rows: Mapping[int, Row], seconds: float) -> None:
        """Adds finished records that took *seconds* of work together; any lane may call it."""
        entries = [encode(self._key, index, row) for index, row in rows.items()]
        with self._lock:
            self._unwritten += entries
            self._unwritten_seconds += seconds
            if self._unwritten_seconds >= _WRITE_SECONDS:
                self._write()

    def close(self) -> None:
        """Writes what is left and lets the file be, for the next run of the shard."""
        with self._lock:
            self._write()
        self._file.close()

    def remove(self) -> None:
        """Removes the file: the shard has its result."""
        self._unwritten.clear()
        self._folder.remove_own(FILE_NAME)

    def _write(self) -> None:
        content = memoryview(b"".join(self._unwritten))
        try:
            left = content
            while left:
                left = left[self._file.write(left) :]
            self._size += len(content)
        except OSError as error:
            # A full disk costs the records that the next run would find here, not the shard, nor those that follow.
            _log.warning("records are missing in the checkpoint", error=error.strerror)
            with suppress(OSError):
                self._file.truncate(self._size)
        self._unwritten.clear()
        self._unwritten_seconds = 0.0
