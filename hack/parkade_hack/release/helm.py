"""helm as the cluster's administrator, with folders of its own."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

LIMIT_SECONDS = 300.0


class HelmError(Exception):
    """helm said no; the message holds its command and its words."""


@dataclass(frozen=True, slots=True)
class Helm:
    """Runs helm against one cluster; what it caches lies in *folder*."""

    program: str
    kubeconfig: Path
    folder: Path

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """What helm prints. Raises HelmError when it ends with another code than 0."""
        done = self.run(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise HelmError(f"helm {' '.join(arguments)}: {done.stderr.strip()}\n{done.stdout.strip()}")
        return done.stdout

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """The finished helm with its exit code and both outputs."""
        return subprocess.run(
            [self.program, *arguments],
            env=self._environment(),
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        own = {f"HELM_{kind}_HOME": str(self.folder / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        return os.environ | own | {"KUBECONFIG": str(self.kubeconfig)}
