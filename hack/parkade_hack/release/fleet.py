"""Vehicles outside of the cluster: agents as local processes that enrol with a release and reach it from without."""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from parkade_hack.local import Vehicle, VehicleSpec
from parkade_hack.processes import Supervisor
from parkade_hack.release.release import Release

ENROL_SECONDS: Final = 60


class FleetError(Exception):
    """A vehicle gets no token; the message holds the command line's words."""


class Fleet:
    """A context manager: the vehicles that are added in it end with it. Each is called as its Node."""

    def __init__(self, folder: Path, release: Release) -> None:
        self.folder = folder.resolve()
        self.vehicles: dict[str, Vehicle] = {}
        self._kubeconfig = release.kubectl.kubeconfig
        self._network = {"https_proxy": release.proxy}
        self._supervisor = Supervisor(self.folder / "logs")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._supervisor.stop_all()

    def add(self, spec: VehicleSpec) -> Vehicle:
        """Enrols a vehicle as a person would and starts its agent. Raises FleetError."""
        vehicle = Vehicle(spec, self.folder / spec.vehicle_id)
        vehicle.give(self.enroll(spec))
        self.vehicles[vehicle.name] = vehicle
        self.start(vehicle.name)
        return vehicle

    def enroll(self, spec: VehicleSpec) -> str:
        """A one-time token by `kubectl parkade enroll`. Raises FleetError."""
        claims = [f"--claim={name}={value}" for name, value in spec.claims.items()]
        done = subprocess.run(
            [sys.executable, "-m", "parkade_cli", "enroll", spec.vehicle_id, *claims],
            env=os.environ | {"KUBECONFIG": str(self._kubeconfig)},
            capture_output=True,
            text=True,
            timeout=ENROL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise FleetError(done.stderr.strip())
        return done.stdout.strip()

    def start(self, name: str) -> None:
        """Starts a vehicle, also again: what is on its disk stays."""
        self._supervisor.start(self.vehicles[name].program(self._network))

    def stop(self, name: str) -> int | None:
        """Stops a vehicle with SIGTERM and returns its exit code."""
        return self._supervisor.stop(name)

    def kill(self, name: str) -> None:
        """Kills a vehicle with SIGKILL."""
        self._supervisor.kill(name)

    def pid(self, name: str) -> int:
        """The pid of a vehicle's agent. Raises ProcessError with its log's end when it does not run."""
        return self._supervisor.pid(name)

    def is_running(self, name: str) -> bool:
        """Whether a vehicle's agent runs."""
        return self._supervisor.is_running(name)
