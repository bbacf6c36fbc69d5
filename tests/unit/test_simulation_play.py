"""The closed loop: what the real guard lets simulated vehicles compute, held against who knows the future."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parkade_hack.simulation import report
from parkade_hack.simulation.clairvoyant import allowed, foresee
from parkade_hack.simulation.course import Subject
from parkade_hack.simulation.drawing import DAY, draw
from parkade_hack.simulation.picture import Row, Shade, picture
from parkade_hack.simulation.play import LANES, Player, beyond, reserve
from parkade_hack.simulation.pool import RULES, owners_word
from parkade_hack.simulation.tally import Tally, total
from support.simulated import BEGINS, plugged_in, sources, with_course

MINUTES = 60
PARKED_FOR = int(RULES.parked_for // 60)


def lanes_of(subject: Subject) -> list[float]:
    """The lanes at work in each minute."""
    return [moment.lanes for moment in Player(subject, RULES, owners_word(BEGINS))]


def only(begin: int, end: int, minutes: int = MINUTES) -> np.typing.NDArray[np.bool_]:
    """True from one minute to another."""
    flags = np.zeros(minutes, np.bool_)
    flags[begin:end] = True
    return flags


def test_a_parked_vehicle_works_with_all_its_lanes_once_it_has_stood_long_enough() -> None:
    """Nothing before, everything after."""
    lanes = lanes_of(plugged_in(MINUTES))
    assert not any(lanes[:PARKED_FOR])
    assert lanes[PARKED_FOR + 1 :] == [LANES] * (MINUTES - PARKED_FOR - 1)


@pytest.mark.parametrize(
    ("columns", "stops_at", "begins_again"),
    [
        (
            {"driving": only(30, 40), "plugged": ~only(30, 40), "speed": 30.0 * only(30, 40)},
            30,
            40 + PARKED_FOR,
        ),
        ({"consents": ~only(30, 40)}, 30, 40),
        ({"is_silent": only(30, 40)}, 32, 40 + PARKED_FOR),
        ({"around": 15 + 70.0 * only(30, 35)}, 32, 37),
        ({"departure": np.where(only(0, 60), 32, -1)}, 30, None),
    ],
    ids=["driving", "consent", "silence", "heat", "departure"],
)
def test_work_stops_when_it_must_and_comes_back(
    columns: dict[str, object], stops_at: int, begins_again: int | None
) -> None:
    """Within the minute of the reason; after it only when the guard's own waiting is over."""
    lanes = lanes_of(with_course(plugged_in(MINUTES), **columns))
    assert lanes[stops_at - 1] > 0
    assert lanes[stops_at + 1] == 0
    if begins_again is None:
        assert not any(lanes[stops_at + 1 :])
    else:
        assert not any(lanes[stops_at + 1 : begins_again])
        assert lanes[-1] > 0


@settings(max_examples=8)
@given(
    seed=st.integers(0, 2**32),
    weather=st.sampled_from([(-12.0, 3.0), (10.0, 24.0), (24.0, 47.0)]),
    cap=st.sampled_from([None, 300.0, 3000.0]),
)
def test_no_vehicle_computes_when_it_must_not(
    seed: int, weather: tuple[float, float], cap: float | None
) -> None:
    """In frost and in heat: never beyond a limit, under the reserve, without consent, or over the day's energy."""
    subject = draw(sources(coldest=weather[0], warmest=weather[1]), seed, 0, BEGINS, days=1)
    rules = replace(RULES, max_energy_wh_per_day=cap)
    player = Player(subject, rules, owners_word(BEGINS))
    for could, moment in zip(foresee(subject, rules), player, strict=True):
        player.tally.compare(could, moment.lanes)
    tally = player.tally
    assert tally.steps == DAY
    assert (tally.beyond_limits, tally.under_reserve) == (0, 0)
    assert (tally.without_consent, tally.while_driving) == (0, 0)
    assert tally.most_changes_a_minute <= 2
    assert tally.met <= min(tally.used, tally.usable)
    assert cap is None or 1000 * tally.compute_kwh <= cap + 3


@settings(max_examples=6)
@given(seed=st.integers(0, 2**32), warmest=st.floats(20, 55))
def test_the_clairvoyant_keeps_the_rules_too(seed: int, warmest: float) -> None:
    """What it uses is allowed, and leaves the body within its limits."""
    subject = draw(sources(warmest=warmest), seed, 0, BEGINS, days=2)
    minutes, may = subject.course.minutes(), allowed(subject.course, RULES)
    body = next(subject.at_rest())
    for number, lanes in enumerate(foresee(subject, RULES)):
        after = subject.frame.after(body, minutes[number], lanes / LANES)
        if lanes:
            assert may[number]
            assert body.charge >= reserve(RULES)
            assert max(beyond(body, RULES), beyond(after, RULES)) <= 0
        body = after


@pytest.mark.parametrize(
    ("columns", "minutes"),
    [
        ({}, MINUTES),
        ({"driving": only(30, 40)}, 50),
        ({"plugged": only(30, 40)}, 10),
        ({"is_silent": only(30, 40)}, 52),
        ({"consents": only(30, 40)}, 10),
        ({"departure": np.full(MINUTES, 32)}, 30),
    ],
    ids=["nothing", "driving", "plug", "silence", "consent", "departure"],
)
def test_what_the_clairvoyant_may_use(columns: dict[str, object], minutes: int) -> None:
    """Every rule that is no matter of the body; a silence counts from where signals are stale."""
    course = with_course(plugged_in(MINUTES), **columns).course
    assert allowed(course, RULES).sum() == minutes


def test_a_share_counts_only_what_the_clairvoyant_could_use_too() -> None:
    """Steps used beyond it are no merit, and sums of tallies keep the worst of what is a worst."""
    one, other = Tally(most_changes_a_minute=2), Tally(highest_beyond_celsius=0.5)
    for could, lanes in ((4, 4.0), (4, 0.0), (0, 4.0)):
        one.compare(could, lanes)
    both = total([one, other])
    assert (one.usable, one.met, one.share) == (2, 1, 0.5)
    assert (both.most_changes_a_minute, both.highest_beyond_celsius) == (2, 0.5)


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (Tally(usable=10, met=9), []),
        (Tally(usable=10, met=8), ["used"]),
        (Tally(beyond_limits=1), ["1 steps computed beyond limits"]),
        (Tally(most_changes_a_minute=3), ["3 times within a minute"]),
    ],
)
def test_a_broken_promise_is_said(tally: Tally, words: list[str]) -> None:
    """One sentence for each, and none when all hold."""
    broken = report.broken_promises({"year": tally})
    assert len(broken) == len(words)
    assert all(word in sentence for word, sentence in zip(words, broken, strict=True))


def test_a_day_is_drawn_to_its_end() -> None:
    """Every vehicle has a row of the day's width, in the colours of what it did."""
    drawn = picture(
        "a day", [Row("one & two", [Shade.PARKED] * 700 + [Shade.COMPUTING] * 740)], [0.0] * DAY, [0.1] * DAY
    )
    assert drawn.startswith("<svg")
    assert "one &amp; two" in drawn
    assert drawn.count(f'height="7" fill="{Shade.COMPUTING}"') == 1
