"""Who knows the future: what could have been used under the same rules, without hysteresis, holds and settling times.

It knows what a minute will bring before the minute begins, so it never needs a distance to a limit: it takes as many
lanes as leave the vehicle within its limits at the end. No guard that sees only the past can do better.
"""

import numpy as np

from parkade_core.vehicle.departure import OVER_AFTER, STOP_BEFORE
from parkade_core.vehicle.rules import PoolRules
from parkade_hack.simulation.body import COMPUTE_WATTS, MINUTE, Body, Frame, Minute
from parkade_hack.simulation.course import Course, Flags, Subject
from parkade_hack.simulation.drawing import DAY
from parkade_hack.simulation.play import LANES, beyond, reserve


def foresee(subject: Subject, rules: PoolRules) -> list[int]:
    """The lanes that it has at work in each minute of the course of *subject*, with a body of its own."""
    minutes = subject.course.minutes()
    may = allowed(subject.course, rules).tolist()
    body = Body(subject.charge, minutes[0].outside, minutes[0].around)
    found, lanes_today = list[int](), 0
    for number, minute in enumerate(minutes):
        lanes_today = lanes_today if number % DAY else 0
        lanes = _most_lanes(subject.frame, body, minute, rules, lanes_today) if may[number] else 0
        body = subject.frame.after(body, minute, lanes / LANES)
        found.append(lanes)
        lanes_today += lanes
    return found


def allowed(course: Course, rules: PoolRules) -> Flags:
    """The minutes that neither body nor energy decide: parked, plugged in, heard, agreed to, the owner not leaving."""
    is_free = ~course.driving & course.plugged & course.consents & ~_stale(course.is_silent, rules)
    if not rules.respect_schedule:
        return is_free
    left = (course.departure - np.arange(len(course))) * MINUTE
    return is_free & ((course.departure < 0) | (left > STOP_BEFORE) | (left <= -OVER_AFTER))


def _stale(is_silent: Flags, rules: PoolRules) -> Flags:
    """The minutes in which a silence has lasted long enough for signals to count as missing."""
    minutes = np.arange(len(is_silent))
    last_heard = np.maximum.accumulate(np.where(is_silent, -1, minutes))
    return is_silent & ((minutes - last_heard - 1) * MINUTE >= rules.telemetry_stale_after)


def _most_lanes(frame: Frame, body: Body, minute: Minute, rules: PoolRules, lanes_today: int) -> int:
    """The most lanes that leave the body within its limits at the end of the minute, and the day's energy unspent."""
    if body.charge < reserve(rules) or beyond(body, rules) > 0:
        return 0
    for lanes in range(LANES, 0, -1):
        wh = (lanes_today + lanes) * COMPUTE_WATTS / LANES * MINUTE / 3600
        is_spent = rules.max_energy_wh_per_day is not None and wh > rules.max_energy_wh_per_day
        if not is_spent and beyond(frame.after(body, minute, lanes / LANES), rules) <= 0:
            return lanes
    return 0
