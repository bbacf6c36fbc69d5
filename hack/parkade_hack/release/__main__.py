"""`python -m parkade_hack.release`: a local cluster on which to type helm and kubectl, until Ctrl-C.

It has a control plane, a Node that runs our images' programs as local processes, and two volumes; Parkade is not
installed. `.run/cluster/env` makes a shell use it.
"""

import shlex
import shutil
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from parkade_hack.controlplane import ControlPlane
from parkade_hack.paths import RUNS
from parkade_hack.release.release import Release
from parkade_hack.tools import ensure_tools

FOLDER: Final = RUNS / "cluster"


def main() -> int:
    """Runs it, says how to use it, and waits."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    tools = ensure_tools()
    shutil.rmtree(FOLDER, ignore_errors=True)
    with (
        ControlPlane(FOLDER / "control-plane", tools) as control_plane,
        Release(FOLDER / "release", control_plane) as release,
    ):
        write_environment(FOLDER / "env", release)
        print(f"The cluster is up. In another terminal: source {FOLDER.relative_to(RUNS.parent)}/env")
        print("Ctrl-C ends it.", flush=True)
        stopping.wait()
    return 0


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
    with suppress(KeyboardInterrupt):
        sys.exit(main())
