"""The end: what kubectl shows, and with KEEP=1 the cluster stays up for people to look around."""

import sys
import threading
from contextlib import suppress
from pathlib import Path

from parkade_hack.demo.play import BATCH, Play


def look_around(play: Play, *, keep: bool) -> None:
    """Prints what users see; with *keep* waits for Ctrl-C."""
    play.stage.title("kubectl get nodes,vp,ib")
    for line in play.kubectl("get", "nodes,vp,ib", "--all-namespaces").splitlines():
        play.stage.say(line)
    if keep:
        _invite(play)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


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
