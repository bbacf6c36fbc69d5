"""The walls around a slot's programs, by name. Owners, settings, logs and taints know them by these names."""

from enum import StrEnum
from typing import Final


class Layer(StrEnum):
    """One wall; a vehicle that lacks one runs nothing unless its owner allowed just that one."""

    NAMESPACES = "namespaces"  # bubblewrap: files, processes, network, users, IPC; alone around unix sockets
    SECCOMP = "seccomp"  # the system calls of a program that only computes; unix sockets and no others
    LANDLOCK = "landlock"  # a second wall around the files, which the program puts on itself
    CGROUP_MEMORY = "cgroup-memory"  # memory of all programs together, page cache and kernel's included


CURES: Final = {
    Layer.NAMESPACES: "install bubblewrap (0.7 or newer) and allow this user namespaces of its own",
    Layer.SECCOMP: "run a kernel with CONFIG_SECCOMP_FILTER on x86-64 or arm64",
    Layer.LANDLOCK: "run Linux 5.13 or newer with landlock among the security modules (lsm=)",
    Layer.CGROUP_MEMORY: "give the agent a control group with the memory controller (systemd: Delegate=yes)",
}
"""What would put each wall up."""
