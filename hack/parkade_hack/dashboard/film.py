"""`python -m parkade_hack.dashboard.film FILE.svg`: plays the demo's scenes under a real Prometheus and draws it.

The scenes are the demo's own: six vehicles, a batch, a driver who comes back and goes, heat, a pulled cable.
"""

import sys
import time
from pathlib import Path

from parkade_cli.cluster import ApiServer
from parkade_hack.controlplane import ControlPlane
from parkade_hack.dashboard.picture import Answers, draw
from parkade_hack.dashboard.questions import ROWS
from parkade_hack.dashboard.watch import lines, watching
from parkade_hack.demo.batch import apply_batch, await_completion
from parkade_hack.demo.driver_returns import await_reopening, driver_leaves, driver_returns
from parkade_hack.demo.install import install
from parkade_hack.demo.model import Material, make_material
from parkade_hack.demo.play import Play
from parkade_hack.demo.sensors import is_unplugged, overheats
from parkade_hack.demo.stage import Stage, open_stage
from parkade_hack.demo.vehicles import park_vehicles
from parkade_hack.prometheus import Prometheus
from parkade_hack.release import Fleet, Release
from parkade_hack.tools import ensure_tools


def main() -> None:
    """Writes the picture; fails as the demo does."""
    with open_stage() as stage:
        answers = _film(stage, make_material(stage))
        Path(sys.argv[1]).write_text(draw(answers))
        stage.title(f"The picture is {sys.argv[1]}")


def _film(stage: Stage, material: Material) -> Answers:
    stage.title("helm install, and a Prometheus that scrapes its pods")
    folder = stage.folder / "cluster"
    with (
        ControlPlane(stage.folder / "control-plane", ensure_tools()) as control_plane,
        Release(folder, control_plane) as release,
        Fleet(folder / "vehicles", release) as fleet,
    ):
        install(release)
        api = ApiServer(str(control_plane.kubectl.kubeconfig))
        with watching(stage.folder / "prometheus", control_plane) as prometheus:
            begun = time.monotonic()
            _play(Play(stage, release, fleet, api, material))
            return _answers(prometheus, time.monotonic() - begun)


def _play(play: Play) -> None:
    park_vehicles(play)
    apply_batch(play)
    driver_returns(play, driven := play.working_vehicle())
    overheats(play, hot := play.working_vehicle(driven))
    is_unplugged(play, play.working_vehicle(driven, hot))
    driver_leaves(play, driven)
    await_reopening(play, driven)
    await_completion(play)


def _answers(prometheus: Prometheus, seconds: float) -> Answers:
    return {panel: lines(prometheus, panel, seconds) for row in ROWS for panel in row.panels}


if __name__ == "__main__":
    main()
