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
from parkade_hack.demo.install import install, uninstall
from parkade_hack.demo.look_around import look_around, stay
from parkade_hack.demo.model import Material, make_material
from parkade_hack.demo.owner_asks import owner_asks
from parkade_hack.demo.play import Play
from parkade_hack.demo.proof import prove
from parkade_hack.demo.sensors import is_unplugged, overheats
from parkade_hack.demo.stage import DemoError, Stage, open_stage
from parkade_hack.demo.vehicle_dies import await_silence, vehicle_dies
from parkade_hack.demo.vehicles import park_vehicles
from parkade_hack.local.walls import layers_to_lack
from parkade_hack.processes import ProcessError, Supervisor
from parkade_hack.release import Fleet, FleetError, HelmError, Release
from parkade_hack.runs import RunBusy
from parkade_hack.tools import Tools, ToolsError

INTERRUPTED = 130
FAILURES = (DemoError, RunBusy, ProcessError, ToolsError, HelmError, FleetError, KubectlError, ClusterError)


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
    layers_to_lack()  # a machine on which no vehicle could work is told so before a quarter of an hour is built
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
    stage.title("A real Kubernetes control plane, and: helm install parkade charts/parkade")
    with ControlPlane(stage.folder / "control-plane", tools) as control_plane:
        folder = stage.folder / "cluster"
        with Release(folder, control_plane) as release, Fleet(folder / "vehicles", release) as fleet:
            for line in install(release):
                stage.say(line)
            play = Play(stage, release, fleet, ApiServer(str(control_plane.kubectl.kubeconfig)), material)
            _play_scenes(play)
            if os.environ.get("KEEP") == "1":
                stay(play)
            uninstall(play)


def _play_scenes(play: Play) -> None:
    park_vehicles(play)
    apply_batch(play)
    driver_returns(play, driven := play.working_vehicle())
    vehicle_dies(play, killed := play.working_vehicle(driven))
    overheats(play, hot := play.working_vehicle(driven, killed))
    is_unplugged(play, unplugged := play.working_vehicle(driven, killed, hot))
    owner_asks(play, unplugged)
    driver_leaves(play, driven)
    await_silence(play, killed)
    await_completion(play)
    await_reopening(play, driven)
    prove(play)
    look_around(play)


if __name__ == "__main__":
    sys.exit(main())
