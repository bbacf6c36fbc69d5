"""Control groups: found wherever they are mounted, frozen, killed and measured as one, and never left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from parkade_agent.guard import Holder
from parkade_agent.runtime import cgroups
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.cgroups import Cgroup, open_cgroup, remove_leftovers, slot_cgroup
from parkade_agent.runtime.hierarchies import UNIFIED, groups_in, own_groups
from support.programs import start as start_in_sandbox

MIB = 1 << 20
LENT = 64 * MIB
BUSY_FAMILY = "import os; os.fork(); os.fork()\nwhile True: pass"
JOIN = 'for file in "$@"; do echo 0 > "$file"; done; exec "$0" -c "$PROGRAM"'
STILL_SECONDS = 0.15
HOARDER = "held = []\nwhile True: held.append(bytearray(b'x') * (1 << 20))"
LEAVER = """
import os, signal, subprocess, sys
from parkade_agent.runtime.cgroups import open_cgroup
cgroup = open_cgroup(1 << 26)
child = subprocess.Popen(["/bin/sleep", "1000"], stdout=subprocess.DEVNULL)
for file in cgroup.join_files():
    file.write_text(str(child.pid))
cgroup.freeze()
print(child.pid, *cgroup.join_files(), sep="\\n", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    """A group of this machine's kernel."""
    with slot_cgroup(LENT) as made:
        if made is None:
            pytest.skip("this machine lets nobody make a control group")
        yield made


def start(cgroup: Cgroup, program: str) -> subprocess.Popen[bytes]:
    """Runs a Python program in the group."""
    files = map(str, cgroup.join_files())
    return subprocess.Popen(["/bin/sh", "-c", JOIN, sys.executable, *files], env={"PROGRAM": program})


def wait_until(holds: Callable[[], object]) -> None:
    """Waits for what only the kernel knows."""
    last = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < last
        time.sleep(0.005)


def test_a_whole_family_is_frozen_and_runs_on(cgroup: Cgroup) -> None:
    """Children of children stop with their parents, no CPU time is used from then on, and all go on together."""
    program = start(cgroup, BUSY_FAMILY)
    wait_until(lambda: len(cgroup.processes()) == 4 and cgroup.cpu_nanoseconds() > 50_000_000)
    cgroup.freeze()
    wait_until(lambda: is_still(cgroup))
    used = cgroup.cpu_nanoseconds()
    cgroup.thaw()
    wait_until(lambda: cgroup.cpu_nanoseconds() > used + 10_000_000)
    cgroup.kill()
    assert program.wait(20) == -signal.SIGKILL
    wait_until(lambda: not cgroup.processes())


def is_still(cgroup: Cgroup) -> bool:
    """Whether no CPU time is used for a while."""
    used = cgroup.cpu_nanoseconds()
    time.sleep(STILL_SECONDS)
    return cgroup.cpu_nanoseconds() == used


def test_what_is_frozen_can_be_killed(cgroup: Cgroup) -> None:
    """Nobody must thaw a slot to end it; its memory is free when it is dead, and its CPU time is not forgotten."""
    program = start(cgroup, "held = bytearray(b'x') * (32 << 20)\nwhile True: pass")
    wait_until(lambda: cgroup.memory_bytes() > 32 * MIB)
    cgroup.freeze()
    os.kill(program.pid, signal.SIGKILL)
    assert program.wait(20) == -signal.SIGKILL
    wait_until(lambda: cgroup.memory_bytes() < MIB)
    used = cgroup.cpu_nanoseconds()
    assert used > 0
    cgroup.remove()
    assert cgroup.cpu_nanoseconds() == used


def test_memory_of_the_group_is_bounded(cgroup: Cgroup) -> None:
    """Whoever takes more than is lent is ended by the kernel, which counts it."""
    if "memory" not in own_groups():
        pytest.skip("this process has no group of the memory controller of version 1")
    assert cgroup.oom_kills() == 0
    assert start(cgroup, HOARDER).wait(30) == -signal.SIGKILL
    assert cgroup.oom_kills() == 1


def test_a_dead_agents_group_is_ended_and_removed(cgroup: Cgroup) -> None:
    """What was frozen when its agent was killed is ended by the next one; a living agent's group is left alone."""
    left = subprocess.run(
        [sys.executable, "-c", LEAVER], stdout=subprocess.PIPE, text=True, check=False
    ).stdout
    child, *files = left.split("\n")[:-1]
    folders = [Path(file).parent for file in files]
    assert Path(f"/proc/{child}").exists()
    remove_leftovers()
    wait_until(lambda: not is_alive(int(child)))
    assert [folder for folder in folders if folder.exists()] == []
    assert all(file.parent.exists() for file in cgroup.join_files())


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has reaped yet does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    return False


def test_without_version_2_signals_reach_every_process(tmp_path: Path) -> None:
    """A folder that has no file to freeze or kill by: each process that it names is signalled."""
    children = [subprocess.Popen(["/bin/sleep", "1000"]) for _ in range(2)]
    (tmp_path / "cgroup.procs").write_text("".join(f"{child.pid}\n" for child in children), encoding="ascii")
    cgroup = Cgroup({"cpuacct": tmp_path})
    for act, state in ((cgroup.freeze, "T"), (cgroup.thaw, "S")):
        act()
        for child in children:
            wait_until(lambda child=child, state=state: state_of(child.pid) == state)
    cgroup.kill()
    assert [child.wait(20) for child in children] == [-signal.SIGKILL] * 2


@pytest.mark.parametrize("controllers", [("memory",), ("cpu", "pids")])
async def test_without_a_clock_of_the_group_the_programs_are_summed(
    tmp_path: Path, controllers: Sequence[str]
) -> None:
    """Version 1 may have a group for memory and none for cpuacct: what runs must not look as if it stood still."""
    brake = SlotBrake(Cgroup(dict.fromkeys(controllers, tmp_path)))
    program = start_in_sandbox("while True: pass", tmp_path)
    brake.add(program)
    try:
        wait_until(lambda: brake.cpu_seconds() > 0.05)
    finally:
        program.signal(signal.SIGKILL)
        await program.wait()


def test_a_removed_group_keeps_its_last_clock(tmp_path: Path) -> None:
    """The file of version 2 is gone with the group; the CPU time is not."""
    clock = tmp_path / "cpu.stat"
    clock.write_text("usage_usec 1500\nuser_usec 1000\n", encoding="ascii")
    cgroup = Cgroup({UNIFIED: tmp_path})
    assert cgroup.cpu_nanoseconds() == 1_500_000
    clock.unlink()
    assert cgroup.cpu_nanoseconds() == 1_500_000


def state_of(pid: int) -> str:
    """The letter of /proc/<pid>/stat."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def test_a_refusal_is_logged_when_nothing_is_left_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log may block: by then the program has its signal, and the brake is free for the next one."""
    sleeper = subprocess.Popen(["/bin/sleep", "1000"])
    (tmp_path / "cgroup.procs").write_text(str(sleeper.pid), encoding="ascii")
    (tmp_path / "cgroup.freeze").symlink_to("/dev/full")
    brake, errors = SlotBrake(Cgroup({UNIFIED: tmp_path})), list[str]()

    def warning(_: str, *, file: str, error: str) -> None:
        wait_until(lambda: state_of(sleeper.pid) == "T")
        assert not brake._lock.locked()
        errors.append(f"{Path(file).name}: {error}")

    monkeypatch.setattr(cgroups._log, "warning", warning)
    try:
        brake.hold(Holder.GUARD)
        assert errors == ["cgroup.freeze: No space left on device"]
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_machine_without_groups_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only file system, as in a container, is no failure: signals do."""
    monkeypatch.setattr("parkade_agent.runtime.cgroups.own_groups", lambda: {"": Path("/proc/self")})
    assert open_cgroup(LENT) is None


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "found"),
    [
        (
            "0::/system.slice/parkade.service\n",
            "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
            {"": "/sys/fs/cgroup/system.slice/parkade.service"},
        ),
        (
            "4:memory:/a\n2:cpu,cpuacct:/b/c\n1:name=systemd:/\n0::/\n",
            "31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"  # noqa: ISC004 - one file
            "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
            "33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
            {
                "": "/sys/fs/cgroup/unified",
                "memory": "/sys/fs/cgroup/memory/a",
                "cpu": "/sys/fs/cgroup/cpu,cpuacct/b/c",
                "cpuacct": "/sys/fs/cgroup/cpu,cpuacct/b/c",
            },
        ),
        (
            "5:memory:/docker/4f\n4:pids:/elsewhere\n",
            "40 30 0:28 /docker/4f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"  # noqa: ISC004 - one file
            "41 30 0:30 /docker/4f /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n",
            {"memory": "/sys/fs/cgroup/memory"},
        ),
        ("3:cpu:/\n", "50 1 8:1 / / rw - ext4 /dev/root rw\n", {}),
    ],
    ids=["version 2", "both", "in a container", "not mounted"],
)
def test_the_own_group_is_found(cgroup: str, mountinfo: str, found: dict[str, str]) -> None:
    """By what the process is in and by what is mounted where; a group that is not to be seen is left out."""
    assert {name: str(folder) for name, folder in groups_in(cgroup, mountinfo).items()} == found
