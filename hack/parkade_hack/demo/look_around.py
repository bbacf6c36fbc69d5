"""What kubectl shows, and with KEEP=1 the cluster stays up for people to look around."""

import sys
import threading
from contextlib import suppress
from pathlib import Path

from parkade_hack.demo.play import BATCH, Play


def look_around(play: Play) -> None:
    """Prints what users see."""
    _show(play, "get", "nodes,vp,ib", "--all-namespaces")
    _show(play, "describe", "ib", BATCH)


def stay(play: Play) -> None:
    """Says how to look around and waits for Ctrl-C."""
    _invite(play)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _show(play: Play, *command: str) -> None:
    play.stage.title(f"kubectl {' '.join(command)}")
    for line in play.kubectl(*command).splitlines():
        play.stage.say(line)


def _invite(play: Play) -> None:
    play.stage.title("It stays up. In another terminal:")
    play.stage.say(f"export KUBECONFIG={play.kubectl.kubeconfig}")
    play.stage.say(f'export PATH="{play.kubectl.program_folder}:{Path(sys.executable).parent}:$PATH"')
    for command in (
        "kubectl get nodes,vp,ib",
        f"kubectl describe ib {BATCH}",
        "kubectl describe node vehicle-ada",
        "kubectl explain inferencebatch.spec",
        "kubectl parkade watch",
    ):
        play.stage.say(command)
    play.stage.say("Ctrl-C ends everything.")
