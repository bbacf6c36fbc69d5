"""Scene: one vehicle is SIGKILLed. Its shards are somebody else's after the lease, and nothing is lost."""

from parkade_hack import proc
from parkade_hack.demo.play import Play, vehicle_row
from parkade_hack.demo.stage import wait_for

GONE_SECONDS = 5.0
SILENT_SECONDS = 60.0


def vehicle_dies(play: Play, name: str) -> None:
    """Kills the agent of a working vehicle."""
    play.stage.title(f"{name} loses its power: SIGKILL")
    below = proc.descendants(play.fleet.pid(name))
    play.fleet.kill(name)
    wait_for(lambda: not any(map(proc.is_alive, below)), GONE_SECONDS, "no process of the vehicle is left")
    play.stage.check(f"all {len(below)} processes below the agent died with it", holds=bool(below))


def await_silence(play: Play, name: str) -> None:
    """Waits until the cluster sees that the vehicle is out of sight, which is never taken for gone."""
    play.until(
        lambda seen: (row := vehicle_row(seen, name)) is not None and row.state == "Silent",
        SILENT_SECONDS,
        f"{name} is silent",
    )
