"""A disk whose power can be cut: ext4 on a loop device, which has afterwards what reached it, and nothing else."""

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_BYTES: Final = 16 << 20
_MAKE: Final = ("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0")
# ext4's own commits are five minutes apart: within a test nothing is written but what is synced.
_MOUNT: Final = ("mount", "-o", "loop,noatime,commit=300")
# EXT4_IOC_SHUTDOWN and EXT4_GOING_FLAGS_NOLOGFLUSH (fs/ext4/ext4.h): from now on nothing reaches the device.
_SHUTDOWN: Final = 0x8004587D
_KEEP_THE_LOG_BACK: Final = 2


class NoDisk(Exception):
    """No file system can be made or mounted on this machine; the message says why."""


class Disk:
    """One file system, empty at first, whose device is a file in *folder*. Raises NoDisk."""

    def __init__(self, folder: Path) -> None:
        self._place = folder / "disk"
        self._place.mkdir()
        self._device = folder / "0.img"
        self._mounts = 0
        with self._device.open("wb") as device:
            device.truncate(_BYTES)
        _run(*_MAKE, str(self._device))

    @contextlib.contextmanager
    def mounted(self, *, writable: bool = True) -> Iterator[Path]:
        """The file system's folder, inside the block. Raises NoDisk."""
        _run(*_MOUNT, *(() if writable else ("--read-only",)), str(self._device), str(self._place))
        try:
            yield self._place
        finally:
            _run("umount", str(self._place))
            self._move()

    def cut_power(self) -> None:
        """Nothing is written any more, whatever is under way: what the device has now is what is mounted next."""
        descriptor = os.open(self._place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _KEEP_THE_LOG_BACK))
        finally:
            os.close(descriptor)

    def _move(self) -> None:
        # Another process's name space may hold the mount for a moment; a copy is never mistaken for what it knows.
        self._mounts += 1
        new = self._device.with_name(f"{self._mounts}.img")
        shutil.copyfile(self._device, new)
        self._device.unlink()
        self._device = new


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise NoDisk(f"there is no {command[0]}") from None
    except subprocess.CalledProcessError as error:
        raise NoDisk(error.stderr.partition("\n")[0]) from None
