"""A local cluster whose supervisor starts again what has died, and one whose processes die at chosen writes."""

import sys
from dataclasses import replace
from pathlib import Path

from typing_extensions import override

import support.crashing
from parkade_hack.controlplane import ControlPlane
from parkade_hack.local import LocalCluster
from parkade_hack.local.settings import GATEWAY, OPERATOR
from parkade_hack.processes import Program
from support.crashing import FOLDER, PROGRAM, Points

_TESTS = Path(support.crashing.__file__).resolve().parents[1]


class RevivingCluster(LocalCluster):
    """`revive` does what a kubelet, or a vehicle's init, does for a process that has ended."""

    def __init__(self, folder: Path, control_plane: ControlPlane) -> None:
        super().__init__(folder, control_plane)
        self.left: set[str] = set()
        self.revivals: list[str] = []

    def revive(self) -> None:
        """Starts again, at once and without a wait, every process that has ended and shall run."""
        for name in (GATEWAY, OPERATOR, *self.vehicles):
            if name not in self.left and not self.is_running(name):
                self._supervisor.start(self._programs[name])
                self.revivals.append(name)

    def dismiss(self, name: str) -> None:
        """Kills a vehicle's agent for good."""
        self.left.add(name)
        self.kill(name)


class CrashingCluster(RevivingCluster):
    """Operator, gateway and agents die at the armed `points`."""

    def __init__(self, folder: Path, control_plane: ControlPlane) -> None:
        super().__init__(folder, control_plane)
        self.points = Points(self.folder / "crashes")

    @override
    def start(self, name: str) -> None:
        if FOLDER not in self._programs[name].environment:
            self._programs[name] = _wrapped(self._programs[name], self.points.folder)
        super().start(name)


def _wrapped(program: Program, folder: Path) -> Program:
    command = (sys.executable, "-m", "support.crashing", program.command[-1])
    settings = {FOLDER: str(folder), PROGRAM: program.name, "PYTHONPATH": str(_TESTS)}
    return replace(program, command=command, environment={**program.environment, **settings})
