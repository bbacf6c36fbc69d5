"""The system calls of a program that computes: those without which sidecar, runner and verifier do not run.

The numbers are the kernel's (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h). What is not
here is denied: no program is started, no namespace, mount or key is touched, no process is looked into, no kernel
program (bpf), ring (io_uring) or page fault (userfaultfd) is handed over.
"""

from collections.abc import Mapping
from typing import Final

# fmt: off
_BOTH: Final = """
    read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70,
    lseek 8 62, close 3 57, close_range 436 436, openat 257 56, dup 32 23, dup3 292 24, fcntl 72 25, flock 73 32,
    fsync 74 82, fdatasync 75 83, ftruncate 77 46, fallocate 285 47, newfstatat 262 79, fstat 5 80, statx 332 291,
    statfs 137 43, fstatfs 138 44, faccessat 269 48, faccessat2 439 439, getdents64 217 61, readlinkat 267 78,
    renameat 264 38, renameat2 316 276, unlinkat 263 35, fchmod 91 52, utimensat 280 88,
    getcwd 79 17, chdir 80 49, umask 95 166, fadvise64 221 223,
    pipe2 293 59, eventfd2 290 19, epoll_create1 291 20, epoll_ctl 233 21, epoll_pwait 281 22, ppoll 271 73,
    pselect6 270 72, timerfd_create 283 85, timerfd_settime 286 86,
    bind 49 200, listen 50 201, accept 43 202, accept4 288 242, connect 42 203, getsockname 51 204,
    getpeername 52 205, sendto 44 206, recvfrom 45 207, sendmsg 46 211, recvmsg 47 212, shutdown 48 210,
    setsockopt 54 208, getsockopt 55 209,
    brk 12 214, mmap 9 222, munmap 11 215, mremap 25 216, mprotect 10 226, madvise 28 233, membarrier 324 283,
    futex 202 98, set_robust_list 273 99, get_robust_list 274 100, rseq 334 293, set_tid_address 218 96,
    sched_yield 24 124, sched_getaffinity 204 123, sched_getparam 143 121, sched_getscheduler 145 120,
    sched_get_priority_max 146 125, sched_get_priority_min 147 126, getcpu 309 168, getpriority 140 141,
    rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigtimedwait 128 137, sigaltstack 131 132,
    restart_syscall 219 128, clock_gettime 228 113, clock_getres 229 114, clock_nanosleep 230 115, nanosleep 35 101,
    gettimeofday 96 169, setitimer 38 103, getitimer 36 102, times 100 153, getrusage 98 165, sysinfo 99 179,
    uname 63 160, getpid 39 172, gettid 186 178, getppid 110 173, getuid 102 174, geteuid 107 175, getgid 104 176,
    getegid 108 177, getpgid 121 155, getsid 124 156, getgroups 115 158, getrandom 318 278,
    exit 60 93, exit_group 231 94, wait4 61 260,
    socket 41 198, socketpair 53 199, clone 56 220, clone3 435 435, prctl 157 167, ioctl 16 29, tgkill 234 131,
    prlimit64 302 261
"""
_ONLY_X86_64: Final = """
    open 2, stat 4, lstat 6, access 21, poll 7, select 23, epoll_wait 232, epoll_create 213, pipe 22, eventfd 284,
    dup2 33, readlink 89, rename 82, unlink 87, getdents 78, getpgrp 111, arch_prctl 158, time 201,
    getrlimit 97
"""
# fmt: on


def _table(text: str, column: int) -> dict[str, int]:
    rows = (row.split() for row in text.split(","))
    return {row[0]: int(row[column]) for row in rows}


NUMBERS: Final[Mapping[str, Mapping[str, int]]] = {
    "x86_64": _table(_BOTH, 1) | _table(_ONLY_X86_64, 1),
    "aarch64": _table(_BOTH, 2),
}
"""The number of each call on each machine, as `platform.machine()` names it."""

_AF_UNIX: Final = 1
_THREAD: Final = 0x3D0F00
"""The flags with which the C library makes a thread (pthread_create): no process, no namespace."""

_OLDER_THREAD: Final = 0x7D0F00
_PR_SET_NAME, _PR_GET_NAME, _PR_SET_VMA = 15, 16, 0x53564D41
_TCGETS, _TIOCGWINSZ, _FIONREAD, _FIONBIO, _FIONCLEX, _FIOCLEX = (
    0x5401,
    0x5413,
    0x541B,
    0x5421,
    0x5450,
    0x5451,
)
_MYSELF: Final = 0
_F_DUPFD, _F_GETFD, _F_SETFD, _F_GETFL, _F_SETFL, _F_DUPFD_CLOEXEC = 0, 1, 2, 3, 4, 1030
"""No command that gives a file an owner, a signal of its own or a lease (F_SETOWN, F_SETSIG, F_NOTIFY, F_SETLEASE).

The kernel would signal for such a file: wake the program itself that was stopped, or stop the agent. Nobody is
signalled for one without an owner, so that O_ASYNC in F_SETFL does nothing.
"""


def conditions(pid: int) -> Mapping[str, tuple[int, tuple[int, ...]]]:
    """Of each call that is allowed with some arguments only: which argument, and its values; *pid* is the caller's."""
    return {
        "socket": (0, (_AF_UNIX,)),
        "socketpair": (0, (_AF_UNIX,)),
        "clone": (0, (_THREAD, _OLDER_THREAD)),
        "prctl": (0, (_PR_SET_NAME, _PR_GET_NAME, _PR_SET_VMA)),
        "ioctl": (1, (_TCGETS, _TIOCGWINSZ, _FIONREAD, _FIONBIO, _FIONCLEX, _FIOCLEX)),
        "fcntl": (1, (_F_DUPFD, _F_GETFD, _F_SETFD, _F_GETFL, _F_SETFL, _F_DUPFD_CLOEXEC)),
        "tgkill": (0, (pid,)),
        "prlimit64": (0, (_MYSELF,)),
    }


ABSENT: Final = frozenset({"clone3"})
"""Calls whose arguments no filter can read: they are said to be missing, and the C library uses the older one."""
