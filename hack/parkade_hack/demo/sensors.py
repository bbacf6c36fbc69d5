"""Scenes: a vehicle gets hot, another is unplugged; stock Kubernetes evicts from the one and spares the other."""

from parkade_api import vss
from parkade_cli.snapshot import Snapshot
from parkade_hack.demo.play import Play, is_closed, vehicle_row, working

HOT_CELSIUS = 91.0
TAINT_SECONDS = 20.0


def overheats(play: Play, name: str) -> None:
    """The computer gets too hot: the guard stops the work, the Node is closed, the slot goes elsewhere."""
    play.stage.title(f"The computer of {name} gets {HOT_CELSIUS:.0f} degrees hot")
    play.fleet.vehicles[name].say({vss.COMPUTE_CELSIUS: HOT_CELSIUS})
    seen = play.until(
        lambda seen: bool(_why(seen, name)) and name not in working(seen),
        TAINT_SECONDS,
        f"{name} is closed and has no work",
    )
    play.stage.check(f"{name}: {_why(seen, name)}", holds="TooHot" in _why(seen, name))


def is_unplugged(play: Play, name: str) -> None:
    """The cable is pulled: no new work, but what runs may end."""
    play.stage.title(f"Somebody unplugs {name}")
    play.fleet.vehicles[name].say({vss.PLUGGED_IN: False, vss.IS_CHARGING: False})
    seen = play.until(
        lambda seen: is_closed(seen, name) and bool(_why(seen, name)),
        TAINT_SECONDS,
        f"{name} gets no new slot",
    )
    play.stage.check(f"{name}: {_why(seen, name)}", holds="NotCharging" in _why(seen, name))
    play.stage.check(f"{name} goes on with the slot that it has", holds=name in working(seen))


def _why(snapshot: Snapshot, name: str) -> str:
    row = vehicle_row(snapshot, name)
    return row.why if row else ""
