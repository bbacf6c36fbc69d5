"""One running program: a process group that dies with us, ended with grace, and its memory."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from parkade_agent.runtime.output import Output
from parkade_hack import proc
from parkade_hack.processes import dying_with_us


class Process:
    """Started by `start`; everything it prints goes to its output."""

    def __init__(self, process: asyncio.subprocess.Process, output: Output) -> None:
        self._process = process
        self._output = output
        self.pid = process.pid

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], folder: Path, output: Output
    ) -> "Process":
        """Starts *command* in *folder*. Raises OSError."""
        with output.inlet() as inlet:
            process = await asyncio.create_subprocess_exec(
                *dying_with_us(command),
                env=dict(environment),
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=inlet,
                stderr=inlet,
                start_new_session=True,
            )
        return cls(process, output)

    async def wait(self) -> int:
        """The return code, when it has ended and all that it printed is kept."""
        code = await self._process.wait()
        self._signal(signal.SIGKILL)  # what it left behind in its group
        self._output.close()
        return code

    async def end(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL to all of its processes when the grace is over."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_seconds):
                await self._process.wait()
        except TimeoutError:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to its process group and to all of its descendants."""
        family = proc.family(self.pid, proc.parents())
        self._signal(signal.SIGKILL)
        for pid in family[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def resident_bytes(self, parents: Mapping[int, int]) -> int:
        """Resident memory of it and its descendants, as *parents* knows them."""
        return sum(proc.resident_bytes(pid) for pid in proc.family(self.pid, parents))

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)
