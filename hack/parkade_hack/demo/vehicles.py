"""Scene: three parked vehicles become Nodes that may work."""

from parkade_cli.snapshot import Snapshot
from parkade_hack.demo.play import Play, vehicle_row
from parkade_hack.local import VehicleSpec
from parkade_hack.paths import EXAMPLES

VEHICLES = ("ada", "grace", "katherine")
# Little, so that on two cores the batch lasts as long as a driver who comes and goes.
CPU_SHARE = 0.15
READY_SECONDS = 60.0


def park_vehicles(play: Play) -> None:
    """Applies the pool, starts three agents, waits until stock Kubernetes may schedule to each."""
    play.stage.title(f"Three parked vehicles, each lending {CPU_SHARE} of a core")
    play.stage.say(play.kubectl("apply", "-f", str(EXAMPLES / "vehiclepool.yaml")).strip())
    for name in VEHICLES:
        play.cluster.add_vehicle(VehicleSpec(name, cpu_share=CPU_SHARE))
    play.until(_all_free, READY_SECONDS, "three vehicles are free")


def _all_free(snapshot: Snapshot) -> bool:
    rows = [vehicle_row(snapshot, f"vehicle-{name}") for name in VEHICLES]
    return all(row is not None and row.state in {"Free", "Working"} for row in rows)
