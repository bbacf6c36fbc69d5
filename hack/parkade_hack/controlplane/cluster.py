"""Starts and stops one control plane: etcd first and stopped last, everything in one run folder."""

import http.client
from pathlib import Path
from types import TracebackType
from typing import Self

from parkade_hack.controlplane import looks
from parkade_hack.controlplane.commands import (
    AUDIT_LOG,
    api_server_arguments,
    audit_arguments,
    choose_ports,
    controller_manager_arguments,
    etcd_arguments,
    scheduler_arguments,
)
from parkade_hack.controlplane.credentials import make_credentials, write_kubeconfig
from parkade_hack.controlplane.kubectl import Kubectl
from parkade_hack.pki import KeyPair
from parkade_hack.processes import Program, Supervisor, plain_environment
from parkade_hack.tools import Tools

READY_SECONDS = 120.0
PROBE_SECONDS = 2.0


class ControlPlane:
    """A context manager: inside it a control plane is ready on 127.0.0.1, after it nothing of it is left.

    `server` is the API server's URL, `ca_file` its authority, `files` every credential, `kubectl` an administrator's;
    `audit_log` has a JSON line a request if it is *audited*.
    """

    def __init__(self, folder: Path, tools: Tools, *, audited: bool = False) -> None:
        self.folder = folder.resolve()
        self.audit_log = self.folder / AUDIT_LOG
        self._audited = audited
        self.tools = tools
        self._supervisor = Supervisor(self.folder / "logs")
        self.files = make_credentials(self.folder / "pki")
        self._ports = choose_ports()
        self.server = f"https://127.0.0.1:{self._ports.api_server}"
        self.ca_file = self.files.ca.cert
        kubeconfig = self._kubeconfig("kubeconfig", self.files.admin)
        self.kubectl = Kubectl(tools.path("kubectl"), kubeconfig)

    def __enter__(self) -> Self:
        try:
            self._start_etcd()
            self._start_api_server()
            self._start_controllers()
        except BaseException:
            self._supervisor.stop_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._supervisor.stop_all()

    def token(
        self, service_account: str, namespace: str, seconds: int = 3600, audience: str | None = None
    ) -> str:
        """A token of *service_account*, as a pod would get it."""
        return self.kubectl.token(service_account, namespace, seconds, audience)

    def kill(self, name: str) -> None:
        """Kills one program, such as `etcd` or `kube-apiserver`, with SIGKILL."""
        self._supervisor.kill(name)

    def start(self, name: str) -> None:
        """Starts `etcd` or `kube-apiserver` again, on its ports and its data, and waits until it is ready."""
        {"etcd": self._start_etcd, "kube-apiserver": self._start_api_server}[name]()

    def _start_etcd(self) -> None:
        self._run("etcd", etcd_arguments(self._ports, self.folder / "etcd"))
        self._wait("etcd", f"http://127.0.0.1:{self._ports.etcd_client}/readyz")

    def _start_api_server(self) -> None:
        audit = audit_arguments(self.folder) if self._audited else []
        self._run("kube-apiserver", [*api_server_arguments(self._ports, self.files), *audit])
        self._wait("kube-apiserver", f"{self.server}/readyz")

    def _start_controllers(self) -> None:
        manager = self._kubeconfig("controller-manager.kubeconfig", self.files.controller_manager)
        scheduler = self._kubeconfig("scheduler.kubeconfig", self.files.scheduler)
        self._run("kube-controller-manager", controller_manager_arguments(self._ports, self.files, manager))
        self._run("kube-scheduler", scheduler_arguments(self._ports, self.files, scheduler))
        self._wait("kube-controller-manager", f"https://127.0.0.1:{self._ports.controller_manager}/healthz")
        self._wait("kube-scheduler", f"https://127.0.0.1:{self._ports.scheduler}/healthz")

    def _run(self, name: str, arguments: list[str]) -> None:
        self._supervisor.start(Program(name, (self.tools.path(name), *arguments), plain_environment()))

    def _kubeconfig(self, name: str, client: KeyPair) -> Path:
        return write_kubeconfig(self.folder / name, self.server, self.ca_file, client)

    def _wait(self, name: str, url: str) -> None:
        self._supervisor.wait_until(name, lambda: self._answers(url), READY_SECONDS)

    def _answers(self, url: str) -> bool:
        admin = self.files.admin
        try:
            with looks.administrator(self.ca_file, admin.cert, admin.key).open(
                url, timeout=PROBE_SECONDS
            ) as reply:
                return bool(reply.status == http.HTTPStatus.OK)
        except (OSError, http.client.HTTPException):
            return False
