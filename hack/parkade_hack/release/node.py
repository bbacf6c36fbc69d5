"""The process node of one run: started and ended with its control plane, and the pids of its pods."""

import re
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from parkade_api.wellknown import NODE_LEASE_NAMESPACE
from parkade_hack.controlplane import ControlPlane
from parkade_hack.controlplane.credentials import PROCESS_NODE
from parkade_hack.processes import (
    ProcessError,
    Program,
    Supervisor,
    accepts_connections,
    free_port,
    plain_environment,
    python_module,
)
from parkade_hack.tools.bubblewrap import VARIABLE as BWRAP
from parkade_hack.tools.bubblewrap import ensure_bubblewrap

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0
PODS: Final = "pods"


class ProcessNode:
    """A context manager: inside it the Node is ready; after it, Node, pods' objects and processes are gone.

    `proxy` is the URL by which programs outside of the cluster reach its Services, as pods do.
    """

    def __init__(self, folder: Path, control_plane: ControlPlane) -> None:
        self.folder = folder.resolve()
        self._control_plane = control_plane
        self._kubectl = control_plane.kubectl
        self._supervisor = Supervisor(self.folder / "logs")
        self._proxy_port = free_port()
        self._kubelet_port = free_port()
        self.proxy = f"http://127.0.0.1:{self._proxy_port}"
        # A short path: pods have unix sockets in their volumes, and a socket's address has 108 bytes.
        self._pods = Path(tempfile.mkdtemp(prefix="pk-"))

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / PODS).symlink_to(self._pods)
        try:
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._supervisor.is_running(PROCESS_NODE):
                self._end_pods()
        finally:
            self._end()
        self._remove_objects()

    def start(self) -> None:
        """Starts its process, also again, and waits until the Node is ready."""
        self._supervisor.start(Program(PROCESS_NODE, python_module("parkade_hack.node"), self._environment()))
        self._supervisor.wait_until(PROCESS_NODE, self._is_ready, READY_SECONDS)

    def stop(self) -> None:
        """Ends its process and its pods with SIGTERM, as a machine that shuts down; the Node stays."""
        self._supervisor.stop(PROCESS_NODE, STOP_SECONDS)

    def kill(self) -> None:
        """Kills its process with SIGKILL; its pods die with it."""
        self._supervisor.kill(PROCESS_NODE)

    @property
    def pid(self) -> int:
        """The pid of its process. Raises ProcessError when it does not run."""
        return self._supervisor.pid(PROCESS_NODE)

    @property
    def log(self) -> Path:
        """The file that holds everything that it printed."""
        return self._supervisor.log(PROCESS_NODE)

    def pod_pid(self, pod: str, namespace: str) -> int:
        """The pid of the first container of *pod*. Raises ProcessError when it does not run."""
        status = self._kubectl.read("pod", pod, "--namespace", namespace)["status"]
        ids = [container.get("containerID", "") for container in status.get("containerStatuses", ())]
        match = re.fullmatch(r"process://(\d+)", ids[0]) if ids else None
        if match is None:
            raise ProcessError(f"pod {pod} runs no process")
        return int(match[1])

    def _is_ready(self) -> bool:
        asked = ("get", "node", PROCESS_NODE, "--ignore-not-found", "-o", "name")
        listens = all(accepts_connections(port) for port in (self._proxy_port, self._kubelet_port))
        return listens and bool(self._kubectl(*asked))

    def _end_pods(self) -> None:
        """By their own deletion: pods of a deleted Node would be left to the garbage collector for a minute."""
        bound = f"--field-selector=spec.nodeName={PROCESS_NODE}"
        self._kubectl("cordon", PROCESS_NODE)
        self._kubectl("delete", "pods", "--all-namespaces", bound, "--timeout=60s", "--ignore-not-found")

    def _end(self) -> None:
        """Stops its process; what pods have left lies in the run folder afterwards."""
        self._supervisor.stop(PROCESS_NODE, STOP_SECONDS)
        (self.folder / PODS).unlink()
        shutil.move(self._pods, self.folder / PODS)

    def _remove_objects(self) -> None:
        self._kubectl("delete", "node", PROCESS_NODE, "--ignore-not-found")
        self._kubectl("delete", "lease", PROCESS_NODE, "-n", NODE_LEASE_NAMESPACE, "--ignore-not-found")

    def _environment(self) -> dict[str, str]:
        files = self._control_plane.files
        return plain_environment() | {
            BWRAP: str(ensure_bubblewrap()),
            "PARKADE_KUBE_SERVER": self._control_plane.server,
            "PARKADE_KUBE_CA_FILE": str(self._control_plane.ca_file),
            "PARKADE_KUBE_CERT_FILE": str(files.node.cert),
            "PARKADE_KUBE_KEY_FILE": str(files.node.key),
            "PARKADE_NODE_FOLDER": str(self._pods),
            "PARKADE_NODE_PROXY_PORT": str(self._proxy_port),
            "PARKADE_NODE_KUBELET_PORT": str(self._kubelet_port),
            "PARKADE_NODE_CERT_FILE": str(files.node_serving.cert),
            "PARKADE_NODE_KEY_FILE": str(files.node_serving.key),
        }
