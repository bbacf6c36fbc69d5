"""Whose models this vehicle runs: publishers, by their public keys. The cluster has no say in it."""

import asyncio
import hashlib
import signal
import tempfile
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from parkade_agent.errors import BundleRefused
from parkade_agent.runtime import programs
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.process import RunningProgram
from parkade_agent.runtime.sandbox.program import Program
from parkade_agent.runtime.sandbox.walls import Sandbox
from parkade_core.shown import shown

MOST_KEY_BYTES: Final = 16 * 1024
_SENTENCE_BYTES: Final = 1024
_REFUSED: Final = 3  # parkade_models.signing.EXIT_REFUSED; importing it here would cost the agent 60 MB
_log = structlog.get_logger()


def known_publishers(folder: Path | None, brake: SlotBrake, sandbox: Sandbox) -> "Publishers | None":
    """The publishers whose keys are in *folder*; without one, everybody's bundles are taken, and the log says so."""
    if folder is None:
        _log.warning("bundles of anybody are run: PARKADE_PUBLISHERS names no folder of public keys")
        return None
    return Publishers(folder, brake, sandbox)


class Publishers:
    """The publishers whose public keys are the files `*.pem` in *folder*, which is looked at for every bundle.

    A bundle is a folder with an absolute path whose name is its digest. Every method may raise BundleRefused.
    """

    def __init__(self, folder: Path, brake: SlotBrake, sandbox: Sandbox) -> None:
        self._folder = folder.resolve()
        self._brake = brake
        self._sandbox = sandbox
        self._verified: set[tuple[str, str]] = set()

    def have_signed(self, bundle: Path) -> bool:
        """Whether that bundle was verified before, with the keys that are there now."""
        return (bundle.name, self._fingerprint()) in self._verified

    async def verify(self, bundle: Path, signature: Path) -> None:
        """Verifies every byte of the bundle, in a process that guard and governor can stop."""
        fingerprint = self._fingerprint()
        program = programs.verifier(bundle, signature, self._keys())
        with tempfile.TemporaryFile() as output:
            exit_code = await self._run(program, output)
            output.seek(0)
            sentence = shown(output.read(_SENTENCE_BYTES).decode(errors="replace").strip(), _SENTENCE_BYTES)
        if exit_code == _REFUSED:
            raise BundleRefused(sentence)
        if exit_code != 0:
            _log.warning("bundle not verified", bundle=bundle.name, exit_code=exit_code, output=sentence)
            raise BundleRefused(f"the signature could not be verified (exit code {exit_code})")
        _log.info("bundle verified", bundle=bundle.name, verdict=sentence)
        self._verified.add((bundle.name, fingerprint))

    async def _run(self, program: Program, output: BinaryIO) -> int:
        running = RunningProgram(program, self._sandbox, output.fileno(), self._brake.join_files())
        self._brake.add(running)
        try:
            return await running.wait()
        except asyncio.CancelledError:
            running.signal(signal.SIGKILL)
            await running.wait()
            raise
        finally:
            self._brake.remove(running)

    def _keys(self) -> list[Path]:
        return sorted(self._folder.glob("*.pem"))

    def _fingerprint(self) -> str:
        """What changes when a key is added, changed or taken away. Raises BundleRefused."""
        digest = hashlib.sha256()
        for key in self._keys():
            digest.update(hashlib.sha256(_read_key(key)).digest())
        return digest.hexdigest()


def _read_key(path: Path) -> bytes:
    """What is in the file. Raises BundleRefused, which the cluster hears: so without the path."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_KEY_BYTES)
    except OSError as error:
        raise BundleRefused(f"the publisher's key {path.name} cannot be read: {error.strerror}") from None
