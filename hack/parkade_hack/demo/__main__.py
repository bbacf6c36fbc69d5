"""`python -m parkade_hack.demo`: the scenes in their order. KEEP=1 leaves the cluster up at the end."""

import os
import signal
import sys

from parkade_cli.cluster import ApiServer, ClusterError
from parkade_hack.controlplane import ControlPlane, KubectlError
from parkade_hack.demo.background_build import BackgroundBuild
from parkade_hack.demo.batch import apply_batch, await_completion
from parkade_hack.demo.driver_returns import await_reopening, driver_leaves, driver_returns
from parkade_hack.demo.first_answer import answer_a_question
from parkade_hack.demo.look_around import look_around
from parkade_hack.demo.model import Material, make_material
from parkade_hack.demo.play import Play
from parkade_hack.demo.proof import prove
from parkade_hack.demo.stage import DemoError, Stage, open_stage
from parkade_hack.demo.vehicle_dies import await_silence, vehicle_dies
from parkade_hack.demo.vehicles import park_vehicles
from parkade_hack.local import LocalCluster
from parkade_hack.preparation import PreparationError, prepare
from parkade_hack.processes import ProcessError, Supervisor
from parkade_hack.tools import Tools, ToolsError

INTERRUPTED = 130
FAILURES = (DemoError, ProcessError, ToolsError, PreparationError, KubectlError, ClusterError)


def main() -> int:
    """Plays the demo. 0 only if every promise held."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(INTERRUPTED))
    try:
        with open_stage() as stage:
            return _play(stage)
    except FAILURES as error:
        print(f"\nthe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _play(stage: Stage) -> int:
    supervisor = Supervisor(stage.folder / "logs")
    try:
        build = BackgroundBuild(stage, supervisor, dict(os.environ))
        material = make_material(stage)
        build.repeat_news()
        answer_a_question(stage, supervisor, material)
        tools = build.wait()
    finally:
        supervisor.stop_all()
    _play_on_cluster(stage, tools, material)
    stage.title("Every promise held.")
    return 0


def _play_on_cluster(stage: Stage, tools: Tools, material: Material) -> None:
    stage.title("A real Kubernetes control plane, the CRDs, the operator and the gateway")
    with ControlPlane(stage.folder / "control-plane", tools) as control_plane:
        prepare(control_plane)
        with LocalCluster(stage.folder / "cluster", control_plane) as cluster:
            play = Play(stage, cluster, ApiServer(str(control_plane.kubectl.kubeconfig)), material)
            park_vehicles(play)
            apply_batch(play)
            returned = driver_returns(play)
            killed = vehicle_dies(play, spared=returned)
            driver_leaves(play, returned)
            await_silence(play, killed)
            await_completion(play)
            await_reopening(play, returned)
            prove(play)
            look_around(play, keep=os.environ.get("KEEP") == "1")


if __name__ == "__main__":
    sys.exit(main())
