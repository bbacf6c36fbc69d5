"""The vehicle's shelf of bundles: few of them, and never the owner's last free bytes."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

from parkade_agent.errors import BundleRefused
from parkade_agent.journal.journal import LEAST_FREE_BYTES
from parkade_api.wellknown import Reason

MOST_BUNDLES: Final = 4
_SIGNATURE: Final = ".sig"
_INCOMING: Final = ".incoming"
_LEAVING: Final = ".leaving"


class NoRoom(BundleRefused):
    """The bundle does not fit on the vehicle's disk."""

    reason = Reason.NO_SPACE


class Shelf:
    """The folder *root* with a folder for each bundle, as old as its last use, and the bundle's signature beside it.

    A bundle comes and goes under another name, so that a kill leaves no half of one under its digest. Every method
    waits for the disk. A vehicle runs one slot: none runs while room is made for a bundle.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def use(self, bundle: Path) -> None:
        """Notes that *bundle* is used now."""
        with contextlib.suppress(OSError):  # a read-only disk forgets the order, and takes no other bundle
            os.utime(bundle)

    def begin(self, bundle: Path, size: int) -> Path:
        """An empty folder for *bundle*, of *size* bytes, until it is whole and renamed. Raises NoRoom, OSError."""
        self._root.mkdir(parents=True, exist_ok=True)
        self.make_room(bundle, size, MOST_BUNDLES - 1)
        if (free := self._free()) < size:
            raise NoRoom(
                f"the bundle has {_mib(size)}, and the vehicle's disk has {_mib(max(free, 0))} for it"
            )
        incoming = bundle.with_suffix(_INCOMING)
        incoming.mkdir()
        return incoming

    def make_room(self, coming: Path | None = None, size: int = 0, most: int = MOST_BUNDLES) -> None:
        """Removes what was left half done, and the oldest bundles until *most* are there and *size* bytes fit."""
        bundles = self._tidied(coming)
        while bundles and (len(bundles) > most or self._free() < size):
            self.remove(bundles.pop(0))

    def remove(self, bundle: Path) -> None:
        """Removes *bundle*, if it is there."""
        leaving = bundle.with_suffix(_LEAVING)
        shutil.rmtree(leaving, ignore_errors=True)
        with contextlib.suppress(OSError):
            bundle.rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)

    def _tidied(self, coming: Path | None) -> list[Path]:
        """The bundles that are there, by their last use; what else lies there goes, but the signature of *coming*."""
        entries = list(self._root.iterdir()) if self._root.is_dir() else []
        bundles = [entry for entry in entries if not entry.suffix and entry.is_dir()]
        signatures = {bundle.with_suffix(_SIGNATURE) for bundle in (*bundles, *([coming] if coming else ()))}
        for entry in set(entries).difference(bundles, signatures):
            shutil.rmtree(entry, ignore_errors=True)
            with contextlib.suppress(OSError):
                entry.unlink()
        return sorted(bundles, key=lambda bundle: bundle.stat().st_mtime_ns)

    def _free(self) -> int:
        """Bytes that a bundle may have beside those that the vehicle needs."""
        disk = os.statvfs(self._root)
        return disk.f_bavail * disk.f_frsize - LEAST_FREE_BYTES


def _mib(size: int) -> str:
    return f"{size >> 20} MiB"
