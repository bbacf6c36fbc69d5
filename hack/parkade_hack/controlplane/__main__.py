"""`python -m parkade_hack.controlplane FOLDER`: runs a control plane until it is told to stop."""

import signal
import sys
import threading
from pathlib import Path

from parkade_hack.controlplane.cluster import ControlPlane
from parkade_hack.tools import ensure_tools


def main() -> int:
    """Starts everything, prints the kubeconfig's path, waits for SIGTERM or Ctrl-C, stops everything."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with ControlPlane(Path(sys.argv[1]), ensure_tools()) as control_plane:
        print(control_plane.kubectl.kubeconfig, flush=True)
        stopping.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
