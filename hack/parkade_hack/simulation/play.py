"""Plays a course through the vehicle's real guard, in a closed loop: what it lets compute heats and drains the body."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from parkade_core.vehicle.consent import Consent
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.guard import Action, GuardState, decide, initial
from parkade_core.vehicle.readings import Reading, Readings
from parkade_core.vehicle.rules import PoolRules
from parkade_core.vehicle.thermal import MIN_BATTERY_CELSIUS, MIN_COMPUTE_CELSIUS
from parkade_hack.simulation.body import COMPUTE_WATTS, MINUTE, Body
from parkade_hack.simulation.course import Subject
from parkade_hack.simulation.drawing import DAY
from parkade_hack.simulation.senses import Senses, Value
from parkade_hack.simulation.tally import Changes, Tally

LANES: Final = 4
"""What the vehicle lends: records at once."""
_LEAST_SECONDS: Final = 1.0
"""A guard that wants to look again at once is asked again a second later; the agent itself waits a millisecond."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What one minute was like: what the guard had decided at its end, and the lanes at work, on average."""

    state: GuardState
    lanes: float


class Player:
    """Plays one subject; `tally` is what was counted, whatever the guard says of itself."""

    def __init__(self, subject: Subject, rules: PoolRules, consent: Consent) -> None:
        self._subject = subject
        self._rules = rules
        self._minutes = subject.course.minutes()
        self._senses = Senses(subject)
        self._words = {True: consent, False: replace(consent, number=consent.number + 1, revoked=True)}
        self._consents = subject.course.consents.tolist()
        self._driving = subject.course.driving.tolist()
        self._price = subject.course.price.tolist()
        first = self._minutes[0]
        self._body = Body(subject.charge, first.outside, first.around)
        self._state = initial(0.0)
        self._readings: dict[str, Reading] = {}
        self._heard_until = 0.0
        self._runs = False
        self._wh_today = 0.0
        self._changes = Changes()
        self.tally = Tally()

    def __iter__(self) -> "Player":
        return self

    def __next__(self) -> Moment:
        """Plays the next minute."""
        minute = self.tally.steps
        if minute == len(self._minutes):
            self.tally.most_changes_a_minute = self._changes.most
            raise StopIteration
        if minute % DAY == 0:
            self._wh_today = 0.0
        before = self._body
        self._hear(self._senses.values(minute, before), minute * MINUTE)
        lanes = self._live(minute)
        self._body = self._subject.frame.after(before, self._minutes[minute], lanes / LANES)
        self._count(minute, before, lanes)
        return Moment(self._state, lanes)

    def _hear(self, values: Mapping[str, Value] | None, now: float) -> None:
        """The bus repeats its values all the time, so their age is 0 until it falls silent."""
        if values is not None:
            self._readings = {path: Reading(value, 0.0) for path, value in values.items()}
            self._heard_until = now + MINUTE

    def _live(self, minute: int) -> float:
        """Has the guard decide as often as it asks for; the lanes at work, on average of the minute."""
        now, end, busy = minute * MINUTE, (minute + 1) * MINUTE, 0.0
        while now < end:
            self._state = decide(self._facts(minute, now), self._state, now)
            self.tally.decisions += 1
            self._changes.see(self._state, now)
            again = end if self._state.recheck_at is None else self._state.recheck_at
            until = min(end, max(again, now + _LEAST_SECONDS))
            busy += self._lanes() * (until - now)
            now = until
        return busy / MINUTE

    def _facts(self, minute: int, now: float) -> Facts:
        consents = self._consents[minute]
        own = OwnFacts(
            consent=self._words[consents],
            wall=self._subject.begins + timedelta(seconds=now),
            place="home",
            link="wifi",
            lanes=LANES,
            watts_per_lane=COMPUTE_WATTS / LANES,
            energy_wh_today=self._wh_today,
        )
        return Facts(self._aged(now), self._rules, own)

    def _aged(self, now: float) -> Readings:
        if now < self._heard_until:
            return self._readings
        age = now - self._heard_until
        return {path: replace(reading, age=age) for path, reading in self._readings.items()}

    def _lanes(self) -> int:
        """How many lanes work under the newest decision: there is always work, and a slot lasts until it is killed."""
        if self._state.action is not Action.RUN:
            self._runs = self._runs and self._state.action is not Action.KILL
            return 0
        self._runs = self._runs or self._state.may_start
        return (LANES if self._state.lanes is None else self._state.lanes) if self._runs else 0

    def _count(self, minute: int, before: Body, lanes: float) -> None:
        tally, rules = self.tally, self._rules
        tally.steps += 1
        tally.parked += not self._driving[minute]
        if lanes == 0:
            return
        kwh = COMPUTE_WATTS * lanes / LANES * MINUTE / 3.6e6
        self._wh_today += 1000 * kwh
        tally.used += 1
        tally.lane_minutes += lanes
        tally.compute_kwh += kwh
        tally.euros += kwh * self._price[minute]
        tally.beyond_limits += beyond(before, rules) > 0
        tally.under_reserve += before.charge < reserve(rules)
        tally.without_consent += not self._consents[minute]
        tally.while_driving += self._driving[minute]
        tally.highest_beyond_celsius = max(tally.highest_beyond_celsius, beyond(self._body, rules))


def beyond(body: Body, rules: PoolRules) -> float:
    """By how many Celsius the body is beyond its tightest limit, of heat or of cold; negative within all of them."""
    return max(
        body.computer - rules.max_compute_celsius,
        body.battery - rules.max_battery_celsius,
        MIN_COMPUTE_CELSIUS - body.computer,
        MIN_BATTERY_CELSIUS - body.battery,
    )


def reserve(rules: PoolRules) -> float:
    """The percent of charge under which nothing may compute."""
    return max(rules.min_state_of_charge_percent, rules.reserve_state_of_charge_percent)
