"""One vehicle of the local cluster: how it gets its certificate, its signal script and its agent's settings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from parkade_agent.simulation.script import PARKED
from parkade_api import vss
from parkade_api.wellknown import NODE_PREFIX, SAN_CLAIM, SAN_VEHICLE
from parkade_hack.local.walls import layers_to_lack
from parkade_hack.pki import Authority, KeyPair, Subject
from parkade_hack.processes import Program, plain_environment, python_module
from parkade_hack.tools.bubblewrap import VARIABLE as BWRAP
from parkade_hack.tools.bubblewrap import ensure_bubblewrap

Signals = Mapping[str, float | bool | str]

# A driver has got in and drives off; the cable is out.
AWAY: Final[Signals] = {
    vss.LOW_VOLTAGE_STATE: "ON",
    vss.PARK_LOCK: False,
    vss.PARKING_BRAKE: False,
    vss.IS_CHARGING: False,
    vss.PLUGGED_IN: False,
    vss.IS_MOVING: True,
    vss.SPEED: 24.0,
}
CLAIMS: Final[Mapping[str, str]] = {"region": "eu", "hardware": "hw4"}


@dataclass(frozen=True, slots=True)
class VehicleSpec:
    """What a vehicle is and lends: verified claims, its first signals, cores of CPU and concurrent runs.

    With a *token* of `kubectl parkade enroll` it enrols by itself, and the token's claims count. With a folder of
    public keys as *publishers* it runs only what one of them has signed.
    """

    vehicle_id: str
    signals: Signals = field(default_factory=lambda: PARKED)
    claims: Mapping[str, str] = field(default_factory=lambda: CLAIMS)
    cpu_share: float = 0.4
    lanes: int = 1
    token: str = ""
    publishers: Path | None = None


class Vehicle:
    """A vehicle whose bus is a file: `say` is what its sensors report next.

    With *door_authority* its certificate is minted here; without, it enrols with the token that it is given.
    """

    def __init__(self, spec: VehicleSpec, folder: Path, door_authority: Authority | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.spec = spec
        self.name = f"{NODE_PREFIX}{spec.vehicle_id}"
        self.folder = folder
        self.signals_file = folder / "signals.jsonl"
        self.token_file = folder / "token"
        self._certificate = _certificate(spec, door_authority) if door_authority else None
        if spec.token:
            self.give(spec.token)
        self.say(spec.signals)

    def give(self, token: str) -> None:
        """Puts an enrolment token into the vehicle, as a person would."""
        unfinished = self.token_file.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(token)
        unfinished.rename(self.token_file)

    def say(self, signals: Signals) -> None:
        """Appends one line of readings, each by its VSS path, to the signal script."""
        with self.signals_file.open("a") as script:
            script.write(json.dumps({"signals": dict(signals)}) + "\n")

    def program(self, surroundings: Mapping[str, str]) -> Program:
        """The agent of this vehicle; *surroundings* are the settings by which it finds its gateway."""
        identity = {"PARKADE_ENROLMENT_TOKEN_FILE": str(self.token_file)}
        if self._certificate is not None:
            identity = {
                "PARKADE_CERT_FILE": str(self._certificate.cert),
                "PARKADE_KEY_FILE": str(self._certificate.key),
            }
        settings = {
            BWRAP: str(ensure_bubblewrap()),
            "PARKADE_ALLOW_MISSING_SANDBOX_LAYERS": ",".join(sorted(layers_to_lack())),
            "PARKADE_SIGNALS_FILE": str(self.signals_file),
            "PARKADE_LINK": "ethernet",
            "PARKADE_STATE_DIR": str(self.folder / "state"),
            "PARKADE_CPU_SHARE": str(self.spec.cpu_share),
            "PARKADE_LANES": str(self.spec.lanes),
        }
        if self.spec.publishers is not None:
            settings["PARKADE_PUBLISHERS"] = str(self.spec.publishers)
        environment = plain_environment() | dict(surroundings) | identity | settings
        return Program(self.name, python_module("parkade_agent"), environment)


def _certificate(spec: VehicleSpec, authority: Authority) -> KeyPair:
    claims = [f"{SAN_CLAIM}{name}:{value}" for name, value in spec.claims.items()]
    subject = Subject(spec.vehicle_id, uris=[f"{SAN_VEHICLE}{spec.vehicle_id}", *claims])
    return authority.issue(f"vehicle-{spec.vehicle_id}", subject)
