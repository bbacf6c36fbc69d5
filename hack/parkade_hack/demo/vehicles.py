"""Scene: four vehicles enrol from outside, two simulated ones are pods of the release, and all may work."""

from typing import Final

from parkade_cli.snapshot import Snapshot
from parkade_hack.demo.play import Play
from parkade_hack.local import VehicleSpec
from parkade_hack.paths import EXAMPLES

# Little, so that on two cores the batch lasts as long as a driver who comes and goes.
CPU_SHARE: Final = 0.12
SIMULATED: Final = 2
ENROLLED: Final = ("ada", "dorothy", "grace", "katherine")
READY_SECONDS: Final = 60.0


def park_vehicles(play: Play) -> None:
    """Applies the pool and enrols four vehicles; returns when stock Kubernetes may schedule to all six."""
    play.stage.title(f"kubectl parkade enroll: four parked vehicles, each lending {CPU_SHARE} of a core")
    play.stage.say(play.kubectl("apply", "-f", str(EXAMPLES / "vehiclepool.yaml")).strip())
    for name in ENROLLED:
        play.fleet.add(VehicleSpec(name, cpu_share=CPU_SHARE, publishers=play.material.publishers))
        play.stage.say(f"{name} has a one-time token and makes its own key")
    play.stage.say("they run only models that our publisher has signed")
    play.until(_all_free, READY_SECONDS, "six vehicles are free")


def _all_free(snapshot: Snapshot) -> bool:
    free = [row.name for row in snapshot.vehicles if row.state in {"Free", "Working"}]
    return len(free) == len(ENROLLED) + SIMULATED
