"""`python -m parkade_hack.release`: a local cluster on which to type helm and kubectl, until Ctrl-C.

It has a control plane, a Node that runs our images' programs as local processes, and two volumes; Parkade is not
installed. `.run/cluster/env` makes a shell use it.
"""

import shlex
import signal
import sys
import threading
from pathlib import Path

from parkade_hack.controlplane import ControlPlane, KubectlError
from parkade_hack.paths import ROOT
from parkade_hack.processes import ProcessError
from parkade_hack.release.release import Release
from parkade_hack.runs import RunBusy, run_folder
from parkade_hack.tools import Tools, ToolsError, ensure_tools


def main() -> int:
    """Runs it until it is told to stop. 1 with one sentence when it cannot."""
    try:
        tools = ensure_tools()
        with run_folder("cluster") as folder:
            _run(folder, tools)
    except (ToolsError, RunBusy, ProcessError, KubectlError) as error:
        print(f"no cluster: {error}", file=sys.stderr)
        return 1
    return 0


def _run(folder: Path, tools: Tools) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with (
        ControlPlane(folder / "control-plane", tools) as control_plane,
        Release(folder / "release", control_plane) as release,
    ):
        write_environment(folder / "env", release)
        print(f"The cluster is up. In another terminal: source {folder.relative_to(ROOT)}/env")
        print("Ctrl-C ends it.", flush=True)
        stopping.wait()


def write_environment(path: Path, release: Release) -> None:
    """Writes what a shell needs to use *release*: which cluster, our programs, and the folder of file:// URIs."""
    programs = (
        release.kubectl.program_folder,
        Path(release.helm.program).parent,
        Path(sys.executable).parent,
    )
    lines = [
        f"export KUBECONFIG={shlex.quote(str(release.kubectl.kubeconfig))}",
        f"export PATH={shlex.quote(':'.join(map(str, dict.fromkeys(programs))))}:$PATH",
        f"export FILES={shlex.quote(str(release.file_root))}",
    ]
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
