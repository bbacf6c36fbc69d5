"""kubectl as the cluster's administrator: what a person types, and how hack asks the API server."""

import http.client
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parkade_hack.controlplane import looks

REQUEST_SECONDS = 90.0


class KubectlError(Exception):
    """kubectl said no; the message holds its command and its words."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs kubectl against one cluster with one kubeconfig."""

    program: str
    kubeconfig: Path

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints. Raises KubectlError when it ends with another code than 0."""
        done = self.run(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    @property
    def program_folder(self) -> Path:
        """The folder to put on PATH for a shell with this kubectl."""
        return Path(self.program).parent

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """The finished kubectl with its exit code and both outputs. Raises KubectlError when it takes too long."""
        try:
            return subprocess.run(
                [self.program, *arguments],
                env=self.environment(),
                input=stdin,
                stdin=None if stdin is not None else subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=REQUEST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            took = f"not done after {REQUEST_SECONDS:.0f} s"
            raise KubectlError(f"kubectl {' '.join(arguments)}: {took}") from None

    def read(self, *arguments: str) -> Any:
        """The object or list that `kubectl get ... -o json` prints."""
        return json.loads(self("get", *arguments, "-o", "json"))

    def look(self, resource: str, name: str = "", *, namespace: str = "", labels: str = "") -> Any:
        """The object of that *name*, None when there is none; without a name the list of those with *labels*.

        For who looks again and again: no kubectl is started. Raises KubectlError as kubectl would end.
        """
        try:
            return looks.look(self.kubeconfig, resource, name, namespace, labels)
        except (OSError, http.client.HTTPException) as error:
            raise KubectlError(f"looking at {resource} {name or labels}: {error}") from None

    def apply(self, *manifests: object) -> str:
        """Applies objects given as plain dicts, by server-side apply."""
        documents = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
        return self("apply", "--server-side", "-f", "-", stdin=documents)

    def token(
        self, service_account: str, namespace: str, seconds: int = 3600, audience: str | None = None
    ) -> str:
        """A token of *service_account* by TokenRequest; at least 600 *seconds*, audience default the API."""
        wanted = ["--namespace", namespace, f"--duration={seconds}s"]
        if audience is not None:
            wanted.append(f"--audience={audience}")
        return self("create", "token", service_account, *wanted).strip()

    def environment(self) -> dict[str, str]:
        """Our own environment with this cluster's kubeconfig, and kubectl's caches beside it."""
        caches = self.kubeconfig.parent / "kubectl-cache"
        return os.environ | {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(caches)}
