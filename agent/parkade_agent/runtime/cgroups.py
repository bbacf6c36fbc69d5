"""The kernel's control group of all that the slot runs: frozen, killed, limited and measured as one.

Version 2 freezes and kills: a frozen process of its can be killed. One that version 1's freezer holds dies only when
somebody thaws it, and nobody does once the agent is dead; so that freezer is never used, and a machine that has
nothing else is stopped by signals (docs/adr/0019-stopping-by-cgroups.md).
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from parkade_agent.runtime.hierarchies import UNIFIED, numbers_if_any, own_groups, read_numbers

UNKILLABLE_SECONDS = 10.0
"""What was killed and is there after that time, the kernel holds, as for a dead disk; a busy machine takes seconds."""

_CONTROLLERS: Final = (UNIFIED, "cpuacct", "memory", "cpu", "pids")
_GIVEN: Final = frozenset({"cpu", "memory", "pids"})  # of version 2, to groups below the agent's own
_PREFIX: Final = "parkade"
_MOST_THREADS: Final = 1024
_WEIGHT: Final = 25
"""A quarter of an ordinary program. Far less lets a busy machine starve a slot until it is taken for dead."""
_SHARES: Final = 256  # the same in version 1
_MEMORY_LIMITS: Final = ("memory.limit_in_bytes", "memory.max")
_MOST_LOOKS: Final = 4
_LOOK_SECONDS: Final = 0.005
_MICROSECOND: Final = 1000
_log = structlog.get_logger()


class Cgroup:
    """The group in *folders*, one for each controller. Every method is safe from any thread.

    A process joins by writing its number into each of `join_files` before it becomes the program; all that it starts
    is then in the group, too, and cannot leave it. *stay* are groups of dead agents that could not be removed.
    """

    def __init__(self, folders: Mapping[str, Path], stay: Sequence["Cgroup"] = ()) -> None:
        self._folders = dict(folders)
        self._stay = stay
        self._unified = folders.get(UNIFIED)
        self._cpu_nanoseconds = 0
        self._refused: list[OSError] = []
        self.limits_memory = False
        """Whether the kernel has taken the limit of the group's memory."""

    @property
    def counts_cpu(self) -> bool:
        """Whether the kernel counts the group's CPU time."""
        return "cpuacct" in self._folders or self._unified is not None

    def join_files(self) -> list[Path]:
        """The files that a process writes its number into."""
        return [folder / "cgroup.procs" for folder in self._folders.values()]

    def processes(self) -> list[int]:
        """The processes of the group at the moment."""
        with contextlib.suppress(OSError):
            return [int(line) for line in self.join_files()[0].read_text(encoding="ascii").split()]
        return []

    def left(self) -> list[int]:
        """Processes of dead agents that were killed and have not ended yet."""
        return [process for group in self._stay for process in group.processes()]

    def freeze(self) -> None:
        """Stops every process and all that join later; returns at once."""
        if not self._tell("cgroup.freeze", 1):
            self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets the processes run on."""
        if not self._tell("cgroup.freeze", 0):
            self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends every process, frozen or not; returns at once."""
        if not self._tell("cgroup.kill", 1):
            self._signal(signal.SIGKILL)

    def say_refusals(self) -> None:
        """Logs what the kernel refused since the last call. A log may block: nothing may be left to stop by then."""
        refused, self._refused = self._refused, []
        for error in refused:
            _log.warning("a control group refused", file=error.filename, error=error.strerror)

    def cpu_nanoseconds(self) -> int:
        """CPU time that the group has used so far, ended processes included; the last known one once it is removed.

        Raises KeyError where the kernel does not count it.
        """
        with contextlib.suppress(OSError):
            self._cpu_nanoseconds = self._read_cpu()
        return self._cpu_nanoseconds

    def memory_bytes(self) -> int:
        """Memory that nothing but the end of its holders gives back: no cache of files is counted."""
        if (folder := self._folders.get("memory")) is not None:
            stat = numbers_if_any(folder / "memory.stat")
            return sum(stat.get(f"total_{kind}", 0) for kind in ("rss", "shmem", "swap"))
        stat = numbers_if_any(self._unified / "memory.stat") if self._unified is not None else {}
        return sum(stat[kind] for kind in ("anon", "shmem")) if stat else self._resident_bytes()

    def oom_kills(self) -> int:
        """Processes that the kernel ended because the group had used up its memory."""
        if (folder := self._folders.get("memory")) is not None:
            return numbers_if_any(folder / "memory.oom_control").get("oom_kill", 0)
        events = numbers_if_any(self._unified / "memory.events") if self._unified is not None else {}
        return events.get("oom_kill", 0)

    def limit(self, memory_bytes: int) -> None:
        """Bounds memory and threads, and puts the group behind all others; what the kernel lacks is left out."""
        limits = {
            "memory.limit_in_bytes": memory_bytes,
            "memory.memsw.limit_in_bytes": memory_bytes,
            "memory.max": memory_bytes,
            "memory.swap.max": 0,
            "pids.max": _MOST_THREADS,
            "cpu.weight": _WEIGHT,
            "cpu.shares": _SHARES,
        }
        for name, value in limits.items():
            taken = [self._write(folder / name, value) for folder in self._folders.values()]
            self.limits_memory |= name in _MEMORY_LIMITS and any(taken)
        self.say_refusals()

    def remove(self) -> bool:
        """Kills what is left and removes the group; false for one with processes that do not end soon."""
        self.kill()
        self.say_refusals()
        last = time.monotonic() + UNKILLABLE_SECONDS
        while self.processes() and time.monotonic() < last:
            time.sleep(_LOOK_SECONDS)
        for folder in self._folders.values():
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                _log.warning("a control group stays", folder=str(folder), error=str(error))
        return not self.processes()

    def _read_cpu(self) -> int:
        if (folder := self._folders.get("cpuacct")) is not None:
            return int((folder / "cpuacct.usage").read_text(encoding="ascii"))
        return _MICROSECOND * read_numbers(self._folders[UNIFIED] / "cpu.stat")["usage_usec"]

    def _tell(self, name: str, value: int) -> bool:
        return self._unified is not None and self._write(self._unified / name, value)

    def _write(self, file: Path, value: int) -> bool:
        """Whether the kernel has that file and took the value."""
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            os.write(descriptor, str(value).encode())
        except OSError as error:
            self._refused.append(OSError(error.errno, error.strerror, str(file)))
            return False
        finally:
            os.close(descriptor)
        return True

    def _signal(self, number: signal.Signals) -> None:
        """Signals every process that lets us; what was started meanwhile is found at the next look."""
        told = set[int]()
        for _ in range(_MOST_LOOKS):
            if not (new := set(self.processes()) - told):
                return
            for pid in new:
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
            told |= new

    def _resident_bytes(self) -> int:
        return sum(map(_resident_bytes, self.processes()))


@contextlib.contextmanager
def slot_cgroup(memory_bytes: int) -> Iterator[Cgroup | None]:
    """The group for as long as the agent works; what agents left that were killed is ended before."""
    cgroup = open_cgroup(memory_bytes, remove_leftovers())
    try:
        yield cgroup
    finally:
        if cgroup is not None:
            cgroup.remove()


def open_cgroup(memory_bytes: int, stay: Sequence[Cgroup] = ()) -> Cgroup | None:
    """A new group for *memory_bytes* under this process's own; None where the machine lets it make none.

    It knows of those that *stay*, as `remove_leftovers` gives them.
    """
    folders, owns = dict[str, Path](), _own()
    name = "-".join(map(str, (_PREFIX, *_identity(os.getpid()))))
    if UNIFIED in owns:
        _give_controllers(owns[UNIFIED])
    for controller, own in owns.items():
        with contextlib.suppress(OSError):
            (own / name).mkdir(exist_ok=True)
            folders[controller] = own / name
    if not folders:
        _log.warning(
            "no control group", message="the machine lets this agent make none; signals stop the slot"
        )
        return None
    cgroup = Cgroup(folders, stay)
    cgroup.limit(memory_bytes)
    return cgroup


def remove_leftovers() -> list[Cgroup]:
    """Ends what an agent left behind that was killed with its groups, and removes them; gives those that stay."""
    left = dict[str, dict[str, Path]]()
    for controller, own in _own().items():
        for folder in own.glob(f"{_PREFIX}-*-*-*"):
            left.setdefault(folder.name, {})[controller] = folder
    names = [name for name in left if _is_left(name)]
    if names:
        _log.info("control groups of dead agents are removed", names=names)
    groups = [Cgroup(left[name]) for name in names]
    return [group for group in groups if not group.remove()]


def _own() -> dict[str, Path]:
    own = own_groups()
    return {controller: own[controller] for controller in _CONTROLLERS if controller in own}


def _give_controllers(own: Path) -> None:
    """Has groups below *own* limit what this machine's version 2 can limit, where it lets the agent.

    A group that gives controllers may have no process itself (cgroups(7), "no internal processes"): an agent that is
    alone in its own, as a service of systemd with `Delegate=yes` is, moves into one below.
    """
    with contextlib.suppress(OSError):
        given = _GIVEN.intersection((own / "cgroup.controllers").read_text(encoding="ascii").split())
        if given and Cgroup({UNIFIED: own}).processes() == [os.getpid()]:
            leaf = own / f"{_PREFIX}-agent"
            leaf.mkdir(exist_ok=True)
            (leaf / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        if given:
            words = " ".join(f"+{controller}" for controller in sorted(given))
            (own / "cgroup.subtree_control").write_text(words, encoding="ascii")


def _identity(pid: int) -> tuple[int, int, int]:
    """What names a process for ever: the namespace of its number, the number, and its start (proc_pid_stat(5))."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    start = stat.rpartition(")")[2].split()[19]
    return Path("/proc/self/ns/pid").stat().st_ino, pid, int(start)


def _is_left(name: str) -> bool:
    """Whether the agent that made the group is dead. Of another namespace's processes nothing is known."""
    try:
        namespace, pid, start = map(int, name.split("-")[1:])
    except ValueError:
        return False
    if namespace != Path("/proc/self/ns/pid").stat().st_ino:
        return False
    try:
        return _identity(pid) != (namespace, pid, start)
    except (FileNotFoundError, ProcessLookupError):
        return True


def _resident_bytes(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError):
        shared_and_own = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
        return (int(shared_and_own[1]) - int(shared_and_own[2])) * os.sysconf("SC_PAGE_SIZE")
    return 0
