"""Where the kernel's control groups are mounted, and which of them this process is in (cgroups(7)).

A machine has one hierarchy of version 2, or one of version 1 for each controller, or both side by side.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

UNIFIED: Final = ""
"""The name of version 2 among the controllers, as /proc/self/cgroup has it."""

_MOUNT_ROOT, _MOUNT_POINT, _FILE_SYSTEM, _OPTIONS = 3, 4, 0, 2  # fields of proc_pid_mountinfo(5)


def own_groups() -> dict[str, Path]:
    """The folder of this process's own group for each controller that is mounted; empty where none is."""
    with contextlib.suppress(OSError):
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8")
        return groups_in(groups, Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    return {}


def groups_in(cgroup: str, mountinfo: str) -> dict[str, Path]:
    """The same, from the text of a process's files `cgroup` and `mountinfo`.

    A group outside of what is mounted, as a container may see it, is left out.
    """
    mounts = dict(_mounts(mountinfo))
    found = dict[str, Path]()
    for line in cgroup.splitlines():
        _, controllers, group = line.split(":", 2)
        for controller in controllers.split(","):
            if controller in mounts:
                root, point = mounts[controller]
                with contextlib.suppress(ValueError):
                    found[controller] = point / PurePosixPath(group).relative_to(root)
    return found


def _mounts(mountinfo: str) -> Iterator[tuple[str, tuple[str, Path]]]:
    """Each controller with the group that is mounted, and where."""
    for line in mountinfo.splitlines():
        mount, _, kind = line.partition(" - ")
        where, what = mount.split(" "), kind.split(" ")
        place = (where[_MOUNT_ROOT], Path(where[_MOUNT_POINT]))
        if what[_FILE_SYSTEM] == "cgroup2":
            yield UNIFIED, place
        elif what[_FILE_SYSTEM] == "cgroup":
            for option in what[_OPTIONS].split(","):
                yield option, place


def read_numbers(file: Path) -> Mapping[str, int]:
    """The numbers of a flat-keyed file of the kernel's. Raises OSError."""
    lines = file.read_text(encoding="ascii").splitlines()
    return {name: int(number) for name, number in (line.split(" ", 1) for line in lines)}


def numbers_if_any(file: Path) -> Mapping[str, int]:
    """The same; empty when the machine has no such file."""
    with contextlib.suppress(OSError):
        return read_numbers(file)
    return {}
