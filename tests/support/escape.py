"""Run behind the walls in a program's place: tries to get out in every way it knows, and prints what happened.

`escape.py CANARY WORK READABLE PORT SECRET MEMORY_BYTES` prints one JSON object: to each try an empty text when it was
denied, or what it got. CANARY is a file outside, WORK the folder that may be written, READABLE a file that may be
read, PORT one that listens on 127.0.0.1 and as an abstract unix socket, SECRET a word in the starter's environment.
"""

import ctypes
import errno
import fcntl
import json
import os
import platform
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

CANARY, WORK, READABLE = map(Path, sys.argv[1:4])
PORT, SECRET, MEMORY_BYTES = int(sys.argv[4]), sys.argv[5], int(sys.argv[6])
SCRATCH = Path("/tmp")  # noqa: S108 - what is tried
SCRATCH_BYTES = 32 << 20
LAST_STANDARD = 2
NO_SIGNAL = 0  # asks whether one might be sent
LIBC = ctypes.CDLL(None, use_errno=True)
X86_64, AARCH64 = 0, 1
CALLS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "move_mount": (429, 429),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "personality": (135, 92),
    "memfd_create": (319, 279),
    "execveat": (322, 281),
    "clone3": (435, 435),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "pidfd_open": (434, 434),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "setuid": (105, 146),
    "setgroups": (116, 159),
    "capset": (126, 91),
    "syslog": (103, 116),
    "clock_settime": (227, 112),
    "sethostname": (170, 161),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262),
    "quotactl": (179, 60),
    "ioprio_set": (251, 30),
    "sched_setattr": (314, 274),
    "migrate_pages": (256, 238),
    "kcmp": (312, 272),
    "landlock_create_ruleset": (444, 444),
    "seccomp": (317, 277),
}
"""Calls that a program which computes never makes, by their numbers on x86-64 and arm64."""

FAMILIES = {
    "IPv4": 2,
    "IPv6": 10,
    "netlink": 16,
    "packet": 17,
    "CAN": 29,
    "Bluetooth": 31,
    "the kernel's ciphers": 38,
    "VSOCK": 40,
    "QIPCRTR": 42,
    "XDP": 44,
}
TRIES: dict[str, Callable[[], object]] = {}


def attempt(name: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Notes a try: it must raise, or return nothing."""

    def note(function: Callable[[], object]) -> Callable[[], object]:
        TRIES[name] = function
        return function

    return note


def tries(name: str, function: Callable[..., object], *arguments: object) -> None:
    """Notes one that must raise."""
    TRIES[name] = lambda: repr(function(*arguments))


def syscall(*arguments: object) -> str:
    """A system call with whatever arguments: that it is made at all is the breach."""
    result = LIBC.syscall(*arguments)
    if result != -1:
        return f"returned {result}"
    number = ctypes.get_errno()
    return "" if number in {errno.EPERM, errno.ENOSYS} else f"was made: {errno.errorcode[number]}"


for call, numbers in CALLS.items():
    number = numbers[X86_64 if platform.machine() == "x86_64" else AARCH64]
    TRIES[f"call {call}"] = lambda number=number: syscall(number, 0, 0, 0, 0, 0)  # type: ignore[misc]
TRIES["call socket by x32's number"] = lambda: syscall(0x40000000 | 41, 2, 1, 0)
for flag, name in ((0x10000000, "users"), (0x20000, "mounts"), (0x40000000, "network"), (0x20000000, "pids")):
    TRIES[f"clone into new {name}"] = lambda flag=flag: syscall(  # type: ignore[misc]
        56 if platform.machine() == "x86_64" else 220, flag | signal.SIGCHLD, 0, 0, 0, 0
    )

for path in (
    CANARY,
    "/etc/passwd",
    "/etc/shadow",
    "/root/.ssh",
    "/proc/1/environ",
    "/proc/1/mem",
    "/dev/mem",
):
    tries(f"open {path}", os.open, path, os.O_RDONLY)
for path in ("/dev/kvm", "/dev/fuse", "/dev/tty", "/dev/vda", "/sys/fs/cgroup", "/run", "/var", "/home"):
    tries(f"open {path}", os.open, path, os.O_RDONLY)
for path in ("/", "/proc/1/root", "/proc/1/cwd", CANARY.parent):
    tries(f"list {path}", os.listdir, path)
for path in (READABLE, "/proc/self/oom_score_adj", "/proc/sys/kernel/core_pattern", "/proc/self/uid_map"):
    tries(f"write {path}", os.open, path, os.O_WRONLY)
for path in ("/new", "/usr/lib/new", "/proc/new", "/dev/new", READABLE.parent / "new", CANARY.parent / "new"):
    tries(f"make {path}", os.open, path, os.O_WRONLY | os.O_CREAT)
tries("replace the interpreter", os.open, os.path.realpath(sys.executable), os.O_WRONLY)
tries("remove what may be read", os.unlink, READABLE)
tries("link symbolically in the folder", os.symlink, CANARY, WORK / "link")
tries("link hard in the folder", os.link, READABLE, WORK / "hard")
tries("make a device", os.mknod, WORK / "device", 0o20600, os.makedev(1, 1))
tries("make a folder", os.mkdir, WORK / "folder")
tries("make a fifo", os.mkfifo, WORK / "fifo")
tries("own a file for another", os.chown, WORK, 1000, 1000)
for family, number in FAMILIES.items():
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        tries(f"socket of {family}, {kind.name}", socket.socket, number, kind)
tries("reach a port of the machine", socket.create_connection, ("127.0.0.1", PORT), 1)
tries("run a program", os.execv, sys.executable, [sys.executable, "-c", "print('executed')"])
tries("run a setuid program", os.execv, "/usr/bin/su", ["su"])
tries("signal the parent", os.kill, os.getppid(), NO_SIGNAL)
tries("signal everybody", os.kill, -1, NO_SIGNAL)
tries("be nicer to itself", os.setpriority, os.PRIO_PROCESS, 0, 0)
tries("run in real time", os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1))
tries("run as others do", os.sched_setscheduler, 0, os.SCHED_OTHER, os.sched_param(0))
tries("take another's cores", os.sched_setaffinity, 0, {0})
tries("limit another", resource.prlimit, 1, resource.RLIMIT_CORE, (0, 0))
for path, name, command, value in (
    (READABLE, "be signalled for a file", fcntl.F_SETOWN, os.getpid()),
    (READABLE, "have others signalled for a file", fcntl.F_SETOWN, os.getppid()),
    (READABLE, "be woken for a file", fcntl.F_SETSIG, signal.SIGCONT),
    (READABLE, "take a lease", fcntl.F_SETLEASE, fcntl.F_RDLCK),
    (WORK, "be signalled for a folder", fcntl.F_NOTIFY, fcntl.DN_CREATE),
):
    TRIES[name] = lambda path=path, command=command, value=value: _commanded(path, command, value)  # type: ignore[misc]
for name, request in (("FIOASYNC", 0x5452), ("FIOSETOWN", 0x8901), ("SIOCSPGRP", 0x8902)):
    TRIES[f"be signalled for a socket, {name}"] = lambda request=request: _asked(request)  # type: ignore[misc]
for limit in ("CORE", "AS", "DATA", "FSIZE", "NOFILE"):
    most = resource.getrlimit(getattr(resource, f"RLIMIT_{limit}"))[1]
    tries(f"raise {limit}", resource.setrlimit, getattr(resource, f"RLIMIT_{limit}"), (most + 1, most + 1))


def _commanded(path: Path, command: int, value: int) -> str:
    file = os.open(path, os.O_RDONLY)
    try:
        return f"returned {fcntl.fcntl(file, command, value)}"
    finally:
        os.close(file)


def _asked(request: int) -> str:
    with socket.socket(socket.AF_UNIX) as own:
        return repr(fcntl.ioctl(own, request, os.getpid().to_bytes(4, sys.byteorder)))


@attempt("fork")
def _fork() -> object:
    child = os.fork()
    if child == 0:
        os._exit(0)
    return child


@attempt("reach an abstract socket of the machine")
def _abstract() -> object:
    with socket.socket(socket.AF_UNIX) as peer:
        return peer.connect(f"\0parkade-{PORT}")


@attempt("type into a terminal")
def _type() -> object:
    return syscall(16 if platform.machine() == "x86_64" else 29, 0, 0x5412, b"x")


@attempt("see other processes")
def _processes() -> object:
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()} - {1, os.getpid()}


@attempt("read secrets of the environment")
def _secret() -> object:
    texts = [Path(f"/proc/{pid}/environ") for pid in ("self", *range(1, 10))]
    return [str(path) for path in texts if _holds_secret(path)] or SECRET in str(os.environ)


def _holds_secret(path: Path) -> bool:
    try:
        return SECRET.encode() in path.read_bytes()
    except OSError:
        return False


@attempt("inherit a file of the agent's")
def _inherited() -> object:
    listing = Path("/proc/self/fd")
    return [path.name for path in listing.iterdir() if int(path.name) > LAST_STANDARD and path.exists()]


@attempt("take twice the memory")
def _memory() -> object:
    return len(bytearray(2 * MEMORY_BYTES))


@attempt("fill twice the scratch space")
def _scratch() -> object:
    with (SCRATCH / "big").open("wb") as file:
        return file.write(bytes(SCRATCH_BYTES))


@attempt("make a file without end")
def _file() -> object:
    with (WORK / "endless").open("wb") as file:
        return file.truncate(1 << 40)


@attempt("make threads without end")
def _threads() -> object:
    end = threading.Event()
    started = []
    try:
        while len(started) < 4000:
            thread = threading.Thread(target=end.wait, daemon=True)
            thread.start()
            started.append(thread)
    finally:
        end.set()
    return len(started)


def _outcome(attempted: Callable[[], object]) -> str:
    try:
        got = attempted()
    except (OSError, ValueError, MemoryError, RuntimeError, OverflowError):
        return ""
    return str(got) if got else ""


if __name__ == "__main__":
    print(json.dumps({name: _outcome(attempted) for name, attempted in TRIES.items()}))  # noqa: T201
