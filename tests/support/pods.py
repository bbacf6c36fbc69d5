"""Pods of the process node for tests: python programs in our own image, and how they stand."""

import json
from dataclasses import dataclass
from typing import Any

from parkade_api import __version__
from parkade_hack.controlplane import Kubectl
from support.controlplane import eventually

Object = dict[str, Any]
IMAGE = f"parkade/operator:{__version__}"
SECONDS = 30


def pod(name: str, program: str, container: Object | None = None, **spec: object) -> Object:
    """A pod whose only container runs *program* in python; *container* and *spec* say what else it has."""
    main = {"name": "main", "image": IMAGE, "command": ["python", "-u", "-c", program]} | (container or {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [main], **spec},
    }


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of one test's namespace."""

    kubectl: Kubectl
    namespace: str

    def apply(self, *objects: Object) -> None:
        """Applies objects in the namespace, once it has its ServiceAccount."""
        ready = ("get", "serviceaccount", "default", "--namespace", self.namespace)
        eventually(lambda: self.kubectl.run(*ready).returncode == 0, SECONDS, "the default ServiceAccount")
        placed = [item | {"metadata": item["metadata"] | {"namespace": self.namespace}} for item in objects]
        self.kubectl.apply(*placed)

    def status(self, name: str) -> Object:
        """The pod's status."""
        found: Object = self.kubectl.look("pods", name, namespace=self.namespace)["status"]
        return found

    def container(self, name: str) -> Object:
        """The status of the pod's only container; empty before the process node has seen it."""
        statuses: list[Object] = self.status(name).get("containerStatuses") or [{}]
        return statuses[0]

    def phase(self, name: str, phase: str) -> Object:
        """The pod's status once it has that phase."""
        eventually(lambda: self.status(name).get("phase") == phase, SECONDS, f"{name} is {phase}")
        return self.status(name)

    def is_ready(self, name: str) -> bool:
        """Whether the pod's condition Ready holds."""
        conditions = self.status(name).get("conditions") or []
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    def log(self, name: str, *options: str) -> str:
        """What the pod printed so far; nothing before it has a log."""
        return self.kubectl.run("logs", name, "--namespace", self.namespace, *options).stdout

    def printed(self, name: str) -> Any:
        """The JSON that the pod printed as its first line."""
        text = eventually(lambda: self.log(name), SECONDS, f"{name} has printed")
        return json.loads(text.splitlines()[0])

    def set_data(self, kind: str, name: str, data: dict[str, str | None]) -> None:
        """Changes keys of a ConfigMap, or of a Secret by its plain text; None removes one."""
        patch = {"stringData" if kind == "secret" else "data": data}
        where = ("--namespace", self.namespace, "--type=merge")
        self.kubectl("patch", kind, name, *where, "--patch", json.dumps(patch))

    def delete(self, name: str) -> None:
        """Deletes the pod and waits until it is gone."""
        self.kubectl("delete", "pod", name, "--namespace", self.namespace, f"--timeout={SECONDS}s")
