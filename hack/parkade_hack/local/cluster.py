"""Operator, gateway and vehicles around one control plane; each can be stopped, killed, restarted."""

import base64
import json
from pathlib import Path
from types import TracebackType
from typing import Self

from parkade_api import wellknown as wk
from parkade_hack.controlplane import ControlPlane, Kubectl
from parkade_hack.local.service import Forwarder, Looked
from parkade_hack.local.settings import (
    GATEWAY,
    OPERATOR,
    Ports,
    gateway_program,
    lay_out,
    operator_program,
)
from parkade_hack.local.tokens import TokenRefresher
from parkade_hack.local.vehicle import Vehicle, VehicleSpec
from parkade_hack.pki import Authority
from parkade_hack.processes import Program, Supervisor, accepts_connections, free_port

READY_SECONDS = 60.0


class LocalCluster:
    """A context manager: inside it gateway and operator run, and vehicles can be added.

    Processes are called `operator`, `gateway` and, as their Nodes, `vehicle-<id>`; with more than one *replica*, the
    others are `operator-2`, `gateway-2` and so on. `kubectl` is an administrator's; the processes themselves hold
    tokens of their own ServiceAccounts only.
    """

    def __init__(self, folder: Path, control_plane: ControlPlane, replicas: int = 1) -> None:
        self.folder = folder.resolve()
        self.kubectl = control_plane.kubectl
        self.vehicles: dict[str, Vehicle] = {}
        self._authority = Authority(self.folder / "pki", "parkade-local-door")
        self._places = lay_out(self.folder, control_plane.server, control_plane.ca_file)
        self._tokens = TokenRefresher(control_plane, self._places.tokens)
        self._supervisor = Supervisor(self.folder / "logs")
        self._gateways = {name: Ports() for name in _names(GATEWAY, replicas)}
        self._reached_at = self._gateways[GATEWAY] if replicas == 1 else Ports()
        self._services = [] if replicas == 1 else self._forwarders()
        self.metrics_ports = {name: free_port() for name in (*self._gateways, *_names(OPERATOR, replicas))}
        self._programs = self._release_programs()

    def __enter__(self) -> Self:
        try:
            self._tokens.start()
            fill_authority(self.kubectl, self._authority)
            for service in self._services:
                service.start()
            for name in list(self._programs):
                self.start(name)
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
        """Starts the agent of a vehicle, whose certificate is minted here unless it has a token to enrol with."""
        authority = None if spec.token else self._authority
        vehicle = Vehicle(spec, self.folder / "vehicles" / spec.vehicle_id, authority)
        self.vehicles[vehicle.name] = vehicle
        door = {
            "PARKADE_DOOR_ADDRESS": f"localhost:{self._reached_at.door}",
            "PARKADE_DOOR_CA_FILE": str(self._authority.files.cert),
        }
        self._programs[vehicle.name] = vehicle.program(door if authority else {})
        self.start(vehicle.name)
        return vehicle

    def start(self, name: str) -> None:
        """Starts the process called *name*, also again: ports, certificates and folders stay.

        The only gateway is waited for until its ports answer; one of several may have to stand by.
        """
        self._supervisor.start(self._programs[name])
        if name in self._gateways and not self._services:
            self._supervisor.wait_until(name, self._gateway_listens, READY_SECONDS)

    def stop(self, name: str) -> int | None:
        """Stops *name* with SIGTERM and returns its exit code."""
        return self._supervisor.stop(name)

    def kill(self, name: str) -> None:
        """Kills *name* with SIGKILL."""
        self._supervisor.kill(name)

    def wait(self, name: str, seconds: float) -> int:
        """The exit code of *name*, which ends by itself. Raises ProcessError when it has not after *seconds*."""
        return self._supervisor.wait(name, seconds)

    def pid(self, name: str) -> int:
        """The pid of *name*. Raises ProcessError with its log's end when it does not run."""
        return self._supervisor.pid(name)

    def is_running(self, name: str) -> bool:
        """Whether *name* runs."""
        return self._supervisor.is_running(name)

    def log(self, name: str) -> Path:
        """The file that holds everything that *name* printed."""
        return self._supervisor.log(name)

    def leader(self, lease: str) -> str:
        """The name of the process that holds the Lease called *lease*; empty when none does."""
        found = self.kubectl.look("leases", lease, namespace=wk.SYSTEM_NAMESPACE) or {}
        return str(found.get("spec", {}).get("holderIdentity") or "")

    def _forwarders(self) -> list[Forwarder]:
        at, holder = self._reached_at, Looked(lambda: self.leader(wk.GATEWAY))

        def leaders() -> Ports:
            return self._gateways.get(holder(), self._gateways[GATEWAY])

        return [
            Forwarder(at.door, lambda: leaders().door),
            Forwarder(at.enrolment, lambda: leaders().enrolment),
            Forwarder(at.internal, lambda: leaders().internal),
        ]

    def _release_programs(self) -> dict[str, Program]:
        places, at = self._places, self._reached_at
        gateways = {
            name: gateway_program(name, places, own, at, self.metrics_ports[name])
            for name, own in self._gateways.items()
        }
        operators = {
            name: operator_program(name, places, at.internal, port)
            for name, port in self.metrics_ports.items()
            if name not in self._gateways
        }
        return gateways | operators

    def _gateway_listens(self) -> bool:
        ports = self._gateways[GATEWAY]
        return all(accepts_connections(port) for port in (ports.door, ports.internal))

    def _stop_everything(self) -> None:
        self._supervisor.stop_all()
        for service in self._services:
            service.stop()
        self._tokens.stop()


def fill_authority(kubectl: Kubectl, authority: Authority) -> None:
    """Makes *authority* that of the release, before any gateway makes one, so that hack can sign for vehicles."""
    pair = {"tls.crt": authority.files.cert.read_bytes(), "tls.key": authority.files.key.read_bytes()}
    secret = {name: base64.b64encode(pem).decode() for name, pem in pair.items()}
    for kind, name, data in (
        ("Secret", wk.SECRET_CA, secret),
        ("ConfigMap", wk.CONFIG_MAP_CA, {"ca.crt": pair["tls.crt"].decode()}),
    ):
        meta = {"name": name, "namespace": wk.SYSTEM_NAMESPACE}
        manifest = {"apiVersion": "v1", "kind": kind, "metadata": meta, "data": data}
        # A manager of its own, because the chart is applied again by kubectl's and would take away what that one wrote.
        ours = ("--server-side", "--force-conflicts", "--field-manager=parkade-local")
        kubectl("apply", *ours, "-f", "-", stdin=json.dumps(manifest))


def _names(process: str, replicas: int) -> list[str]:
    return [process, *(f"{process}-{n}" for n in range(2, replicas + 1))]
