"""What becomes of a slot's sidecar: whether its start gets anywhere, why it ended, and when the bundle is to blame."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from parkade_agent.errors import BundleRefused, ModelRefused
from parkade_agent.guard import Holder
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.cgroups import Cgroup
from parkade_agent.runtime.disk import taken_bytes
from parkade_agent.runtime.last_words import SERVING, read_last_words
from parkade_agent.runtime.process import RunningProgram
from parkade_agent.runtime.standstill import stood_still
from parkade_core.vehicle.death import Blame, Death, End, Limits, SidecarExit, attribute

MOST_LOADING_DEATHS: Final = 2
MOST_FOLDER_BYTES: Final = 4 << 30
"""On the disk, of all that a sidecar writes. One file of it is limited by the kernel (RLIMIT_FSIZE)."""

_LOOK_SECONDS: Final = 1.0
_DEATH_IS_NOTICED_SECONDS: Final = 1.0
_log = structlog.get_logger()


class SidecarLife:
    """The lives and deaths of one slot's sidecar; its last words are in the file *words*. It runs in *cgroup*.

    It may write the folder of its words, and *besides*.
    """

    def __init__(
        self, words: Path, limits: Limits, cgroup: Cgroup | None = None, besides: Iterable[Path] = ()
    ) -> None:
        self._cgroup = cgroup
        self._folders = (words.parent, *besides)
        self._oom_kills = 0
        self.words = words
        self.limits = limits
        self._has_served = False
        self._has_stalled = False
        self._has_hoarded = False
        self._loading_deaths: list[Death] = []
        self._death: Death | None = None
        self._died_at = 0.0
        self._died = asyncio.Event()

    def begin(self) -> None:
        """It is about to be started."""
        self._has_served = self._has_stalled = self._has_hoarded = False
        self._died.clear()
        self._oom_kills = self._count_oom_kills()
        self.words.unlink(missing_ok=True)

    def serves(self) -> None:
        """It answered that it serves."""
        self._has_served = True
        self._loading_deaths.clear()

    @contextlib.contextmanager
    def watched(self, running: RunningProgram, brake: SlotBrake) -> Iterator[None]:
        """Sees to it, as long as the context lasts, that the start gets somewhere and the disk is not filled."""
        watches = (self.end_stalled(running, brake), self.end_hoarding(running))
        tasks = [asyncio.create_task(watch) for watch in watches]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    async def end_stalled(self, running: RunningProgram, brake: SlotBrake) -> None:
        """Kills a sidecar that neither serves nor works; one that the guard froze has its time. Else returns never."""
        may_rest = partial(brake.is_held, Holder.GUARD)
        await stood_still(running.cpu_seconds, lambda: self._has_served or may_rest())
        self.stalls()
        running.signal(signal.SIGKILL)

    async def end_hoarding(self, running: RunningProgram) -> None:
        """Kills a sidecar whose files hold more than they may; then returns."""
        while await asyncio.to_thread(taken_bytes, running.pid, self._folders) <= MOST_FOLDER_BYTES:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
        self._has_hoarded = True
        running.signal(signal.SIGKILL)

    def stalls(self) -> None:
        """It is about to be killed because it stands still."""
        self._has_stalled = True

    def end(self, exit_code: int) -> Death:
        """It has ended by itself, or of something that this agent did not do."""
        words = read_last_words(self.words)
        # It may have served for less time than it takes to ask it.
        if words == SERVING or exit_code == SidecarExit.RUN_STUCK:
            self.serves()
        end = End(
            exit_code,
            self._has_served,
            words,
            has_stalled=self._has_stalled,
            was_short_of_memory=self._count_oom_kills() > self._oom_kills,
            has_hoarded=self._has_hoarded,
        )
        death = attribute(end, self.limits)
        self._death, self._died_at = death, time.monotonic()
        if not self._has_served:
            self._loading_deaths.append(death)
        self._died.set()
        _log.warning("sidecar died", cause=death.cause, blame=death.blame, message=death.sentence)
        return death

    def _count_oom_kills(self) -> int:
        return self._cgroup.oom_kills() if self._cgroup is not None else 0

    def check(self, death: Death) -> None:
        """Raises BundleRefused or ModelRefused when to start it again would be in vain."""
        if death.is_final or len(self._loading_deaths) >= MOST_LOADING_DEATHS:
            counted = [death] if death.is_final else self._loading_deaths
            is_models = all(each.blame is Blame.MODEL for each in counted)
            raise (ModelRefused if is_models else BundleRefused)(f"{death.cause}: {death.sentence}")

    async def explain(self, message: str, since: float) -> str:
        """Why the sidecar was lost to a shard begun at *since* (monotonic), or else the runner's *message*.

        A runner may notice before the agent does.
        """
        if self._died_at < since:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._died.wait(), _DEATH_IS_NOTICED_SECONDS)
        is_of_shard = self._died.is_set() or self._died_at >= since
        if self._death is None or not is_of_shard:
            return message
        return f"{self._death.cause}: {self._death.sentence}"
