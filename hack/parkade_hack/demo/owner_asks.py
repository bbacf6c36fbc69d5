"""Scene: the owner of a vehicle asks why it does not earn, and sees what the cluster sees."""

import json
import subprocess
import sys
from typing import Any

from parkade_core.vehicle.usage import shown_energy
from parkade_hack.demo.play import Play, vehicle_row
from parkade_hack.processes import plain_environment

ANSWER_SECONDS = 30


def owner_asks(play: Play, name: str) -> None:
    """Types `parkade-agent explain` in the vehicle, beside what `kubectl` says of its Node."""
    play.stage.title(f"The owner of {name} types: parkade-agent explain")
    for line in _explain(play, name).splitlines():
        play.stage.say(line)
    row = vehicle_row(play.api.snapshot(), name)
    cluster = row.why if row else ""
    play.stage.say(f"the cluster says of the same vehicle: {cluster}")
    guard: dict[str, Any] = json.loads(_explain(play, name, "-o", "json"))["guard"]
    reasons = [cause["reason"] for cause in guard["causes"]]
    play.stage.check(f"both give the reason {reasons[0]}", holds=reasons[0] in cluster)
    used = guard["energy_wh_today"]
    play.stage.check(f"the energy of today's work is told: {shown_energy(used)}", holds=used > 0)


def _explain(play: Play, name: str, *flags: str) -> str:
    state = play.fleet.vehicles[name].folder / "state"
    command = [sys.executable, "-m", "parkade_agent", "explain", "--state-dir", str(state), *flags]
    return subprocess.run(
        command, env=plain_environment(), capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True
    ).stdout
