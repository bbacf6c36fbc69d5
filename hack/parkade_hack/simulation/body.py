"""A parked vehicle's body, minute by minute: how computing, charging and the air change its charge and its heat.

Small on purpose; every formula and figure is explained in docs/simulation.md.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

MINUTE: Final = 60.0  # seconds
CHARGED_TO: Final = 90.0  # percent: where owners let the charger end
CHARGER_LOSS: Final = 0.08  # of what the charger takes, as heat in the battery and its electronics
IN_BATTERY: Final = 0.5  # of that loss, what heats the battery
STANDBY_WATTS: Final = 15.0  # of a parked vehicle whose agent runs
COMPUTE_WATTS: Final = 160.0  # of the computer with every lane busy, over standby
COMPUTE_RISE: Final = 38.0  # Celsius that every lane busy adds to the computer, in the end
STANDBY_RISE: Final = 6.0
COMPUTE_SECONDS: Final = 300.0  # time constant of the computer's heat
_JOULES_PER_KWH: Final = 3.6e6


class Body(NamedTuple):
    """Charge in percent, Celsius of the traction battery and of the computer."""

    charge: float
    battery: float
    computer: float


class Minute(NamedTuple):
    """What the world does to the vehicle for one minute; kWh and the battery's change of C are of driving."""

    outside: float
    around: float
    charger_kw: float
    kwh: float
    heat: float


@dataclass(frozen=True, slots=True)
class Frame:
    """What does not change in a vehicle: the battery's kWh, J/K, and W/K to the air."""

    battery_kwh: float
    joules_per_kelvin: float
    watts_per_kelvin: float

    def after(self, body: Body, minute: Minute, busy: float) -> Body:
        """The body one minute later; *busy* is the share of the lanes that computed."""
        charge, loss_watts = self._charged(body.charge, minute, busy)
        return Body(charge, self._battery(body.battery, minute, loss_watts), _computer(body, minute, busy))

    def _charged(self, charge: float, minute: Minute, busy: float) -> tuple[float, float]:
        """The charge after the minute, and the watts that charging loses in the battery."""
        used_kw = (STANDBY_WATTS + busy * COMPUTE_WATTS) / 1000
        wanted_kw = minute.charger_kw if charge < CHARGED_TO else min(minute.charger_kw, used_kw)
        net_kwh = (
            wanted_kw * (1 - CHARGER_LOSS if wanted_kw > used_kw else 1) - used_kw
        ) * MINUTE / 3600 - minute.kwh
        after = min(100.0, max(0.0, charge + 100 * net_kwh / self.battery_kwh))
        return after, 1000 * IN_BATTERY * CHARGER_LOSS * max(0.0, wanted_kw - used_kw)

    def _battery(self, celsius: float, minute: Minute, loss_watts: float) -> float:
        """Newton's cooling to the air outside, and what charging and driving add."""
        settled = minute.outside + loss_watts / self.watts_per_kelvin
        share = 1 - math.exp(-MINUTE * self.watts_per_kelvin / self.joules_per_kelvin)
        return celsius + (settled - celsius) * share + minute.heat


_COMPUTE_SHARE: Final = 1 - math.exp(-MINUTE / COMPUTE_SECONDS)


def _computer(body: Body, minute: Minute, busy: float) -> float:
    settled = minute.around + STANDBY_RISE + busy * COMPUTE_RISE
    return body.computer + (settled - body.computer) * _COMPUTE_SHARE
