"""One release of the chart on a bare control plane: its volumes, its Node, and helm's verbs."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from parkade_api.wellknown import SYSTEM_NAMESPACE
from parkade_hack.controlplane import ControlPlane
from parkade_hack.paths import CHART
from parkade_hack.preparation import KUBELET_CLIENT
from parkade_hack.release.helm import Helm
from parkade_hack.release.node import ProcessNode

NAME: Final = "parkade"
LOCAL_VALUES: Final = CHART / "ci" / "local-values.yaml"
WAIT_SECONDS: Final = 120
Values = Mapping[str, Any]


class Release:
    """A context manager: inside it the process node runs, and namespace and volumes are there for `install`.

    `node` is the process node, `file_root` the folder in which `file:///x` of namespace n is `<n>/x`, `helm` helm
    itself, `kubectl` an administrator's, `proxy` the URL by which programs outside reach the release's Services.
    """

    def __init__(self, folder: Path, control_plane: ControlPlane) -> None:
        self.folder = folder.resolve()
        self.kubectl = control_plane.kubectl
        self.node = ProcessNode(self.folder / "node", control_plane)
        self.proxy = self.node.proxy
        self.helm = Helm(control_plane.tools.path("helm"), self.kubectl.kubeconfig, self.folder / "helm")
        self.file_root = self.folder / "files"
        self.platform_store = self.folder / "platform-store"

    def __enter__(self) -> Self:
        self.file_root.mkdir(parents=True, exist_ok=True)
        self.platform_store.mkdir(parents=True, exist_ok=True)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}}
        self.kubectl.apply(namespace, KUBELET_CLIENT)
        self.kubectl.apply(
            *_volume("parkade-store", self.platform_store), *_volume("parkade-files", self.file_root)
        )
        self.node.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.node.__exit__(kind, error, trace)

    def install(self, values: Values | None = None) -> str:
        """`helm install`, until every pod is ready; what helm prints. Raises HelmError."""
        return self._deploy("install", values)

    def upgrade(self, values: Values | None = None) -> str:
        """`helm upgrade` to local values and *values*, until the rollout is done. Raises HelmError."""
        return self._deploy("upgrade", values)

    def test(self) -> str:
        """`helm test` with the logs of its pod. Raises HelmError when it fails."""
        return self.helm(
            "test", NAME, "--namespace", SYSTEM_NAMESPACE, "--logs", f"--timeout={WAIT_SECONDS}s"
        )

    def uninstall(self) -> str:
        """`helm uninstall`, until its objects are gone; their pods end meanwhile. Raises HelmError."""
        waiting = ("--wait", f"--timeout={WAIT_SECONDS}s")
        return self.helm("uninstall", NAME, "--namespace", SYSTEM_NAMESPACE, *waiting)

    def namespace_folder(self, namespace: str) -> Path:
        """The folder that `file:///` means in *namespace*; made when it is not there."""
        folder = self.file_root / namespace
        folder.mkdir(exist_ok=True)
        return folder

    def pods(self, component: str) -> list[str]:
        """The names of the running pods of one component: operator, gateway or simulation."""
        found = self.kubectl.read(
            "pods", "--namespace", SYSTEM_NAMESPACE, "--selector", f"app.kubernetes.io/component={component}"
        )["items"]
        return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def pod_pid(self, pod: str) -> int:
        """The pid of a pod of the release. Raises ProcessError when it does not run."""
        return self.node.pod_pid(pod, SYSTEM_NAMESPACE)

    def kill(self, pod: str) -> None:
        """Kills the process of *pod* with SIGKILL; the process node starts it again."""
        os.kill(self.pod_pid(pod), signal.SIGKILL)

    def _deploy(self, verb: str, values: Values | None) -> str:
        place = (NAME, str(CHART), "--namespace", SYSTEM_NAMESPACE)
        given = ("--values", str(LOCAL_VALUES), "--values", "-")
        waiting = ("--wait", f"--timeout={WAIT_SECONDS}s")
        return self.helm(verb, *place, *given, *waiting, stdin=json.dumps(values or {}))


def _volume(name: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A PersistentVolume that is *folder*, and the claim that it is for."""
    size, modes = {"storage": "20Gi"}, ["ReadWriteMany"]
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": size,
            "accessModes": modes,
            "hostPath": {"path": str(folder)},
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": SYSTEM_NAMESPACE, "name": name},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE},
        "spec": {
            "accessModes": modes,
            "storageClassName": "",
            "resources": {"requests": size},
            "volumeName": name,
        },
    }
    return volume, claim
