"""Operator, gateway and vehicles around one control plane; each can be stopped, killed, restarted."""

from pathlib import Path
from types import TracebackType
from typing import Self

from parkade_hack.controlplane import ControlPlane
from parkade_hack.local.settings import GATEWAY, OPERATOR, gateway_program, lay_out, operator_program
from parkade_hack.local.tokens import TokenRefresher
from parkade_hack.local.vehicle import Vehicle, VehicleSpec
from parkade_hack.pki import Authority
from parkade_hack.processes import Program, Supervisor, accepts_connections

READY_SECONDS = 60.0


class LocalCluster:
    """A context manager: inside it gateway and operator run, and vehicles can be added.

    Processes are called `operator`, `gateway` and, as their Nodes, `vehicle-<id>`. `kubectl` is an
    administrator's; the processes themselves hold tokens of their own ServiceAccounts only.
    """

    def __init__(self, folder: Path, control_plane: ControlPlane) -> None:
        self.folder = folder.resolve()
        self.kubectl = control_plane.kubectl
        self._door_authority = Authority(self.folder / "pki", "parkade-local-door")
        self._places = lay_out(self.folder, control_plane.server, control_plane.ca_file, self._door_authority)
        self._tokens = TokenRefresher(control_plane, self._places.tokens)
        self._supervisor = Supervisor(self.folder / "logs")
        self._programs: dict[str, Program] = {
            GATEWAY: gateway_program(self._places),
            OPERATOR: operator_program(self._places),
        }
        self.vehicles: dict[str, Vehicle] = {}

    def __enter__(self) -> Self:
        try:
            self._tokens.start()
            self.start(GATEWAY)
            self.start(OPERATOR)
        except BaseException:
            self._stop_everything()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_everything()

    @property
    def file_root(self) -> Path:
        """The folder in which `file:///x` of namespace n is `<n>/x`."""
        return self._places.file_root

    @property
    def platform_store(self) -> Path:
        """The folder of Parkade's own store: plans, shards, logs, results."""
        return self._places.platform_store

    def namespace_folder(self, namespace: str) -> Path:
        """The folder that `file:///` means in *namespace*; made when it is not there."""
        folder = self.file_root / namespace
        folder.mkdir(exist_ok=True)
        return folder

    def add_vehicle(self, spec: VehicleSpec) -> Vehicle:
        """Mints the vehicle's certificate, writes its first signals and starts its agent."""
        vehicle = Vehicle(spec, self.folder / "vehicles" / spec.vehicle_id, self._door_authority)
        self.vehicles[vehicle.name] = vehicle
        door = f"localhost:{self._places.door_port}"
        self._programs[vehicle.name] = vehicle.program(door, self._places.door_ca)
        self.start(vehicle.name)
        return vehicle

    def start(self, name: str) -> None:
        """Starts the process called *name*, also again: ports, certificates and folders stay.

        The gateway is waited for until both its ports answer.
        """
        self._supervisor.start(self._programs[name])
        if name == GATEWAY:
            self._supervisor.wait_until(GATEWAY, self._gateway_listens, READY_SECONDS)

    def stop(self, name: str) -> int | None:
        """Stops *name* with SIGTERM and returns its exit code."""
        return self._supervisor.stop(name)

    def kill(self, name: str) -> None:
        """Kills *name* with SIGKILL."""
        self._supervisor.kill(name)

    def pid(self, name: str) -> int:
        """The pid of *name*. Raises ProcessError with its log's end when it does not run."""
        return self._supervisor.pid(name)

    def is_running(self, name: str) -> bool:
        """Whether *name* runs."""
        return self._supervisor.is_running(name)

    def log(self, name: str) -> Path:
        """The file that holds everything that *name* printed."""
        return self._supervisor.log(name)

    def _gateway_listens(self) -> bool:
        return all(accepts_connections(port) for port in (self._places.door_port, self._places.internal_port))

    def _stop_everything(self) -> None:
        self._supervisor.stop_all()
        self._tokens.stop()
