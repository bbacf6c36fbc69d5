"""Scripted signals: a file that is played and followed."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from parkade_agent import wire
from parkade_agent.signals.scripted import ScriptedSignals
from parkade_api import vss
from parkade_core.vehicle.guard import initial
from parkade_core.vehicle.readings import Reading, why_missing
from support.vehicles import POLICY


class Listener:
    """Hears of changes and lets a test wait for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()

    def __call__(self) -> None:
        """A change."""
        with self._changed:
            self._changed.notify_all()

    def until(self, is_so: Callable[[], bool]) -> None:
        """Waits for a change after which it is so."""
        with self._changed:
            assert self._changed.wait_for(is_so, timeout=20)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The path of a script that does not exist yet."""
    return tmp_path / "signals.jsonl"


@pytest.fixture
def played(script: Path) -> Iterator[tuple[ScriptedSignals, Listener]]:
    """The script's signals, playing."""
    with playing(script) as both:
        yield both


@contextmanager
def playing(script: Path) -> Iterator[tuple[ScriptedSignals, Listener]]:
    """Plays the script for as long as the block lasts."""
    source, listener = ScriptedSignals(script), Listener()
    source.start(listener)
    try:
        yield source, listener
    finally:
        source.stop()


def append(script: Path, text: str) -> None:
    """Appends to the script as another process would."""
    with script.open("a", encoding="utf-8") as file:
        file.write(text)


def test_an_appended_line_is_a_new_reading(script: Path, played: tuple[ScriptedSignals, Listener]) -> None:
    """Lines count when their newline is written, also in a file that appears later."""
    source, listener = played
    append(script, '{"signals": {"Vehicle.Speed": 3, "Vehicle.IsMoving": true}}\n{"signals": {"Vehicle.Sp')
    listener.until(lambda: vss.SPEED in source.readings())
    assert source.readings()[vss.IS_MOVING].value is True
    append(script, 'eed": 0}}\n')
    listener.until(lambda: source.readings()[vss.SPEED].value == 0)


def test_after_waits_since_the_line_before(script: Path) -> None:
    """A line with `after` is applied that many seconds after the previous one, not before."""
    source, listener, heard = ScriptedSignals(script), Listener(), list[tuple[object, float]]()

    def hear() -> None:
        heard.append((source.readings()[vss.SPEED].value, time.monotonic()))
        listener()

    append(script, '{"signals": {"Vehicle.Speed": 1}}\n{"signals": {"Vehicle.Speed": 2}, "after": 0.3}\n')
    began = time.monotonic()
    source.start(hear)
    listener.until(lambda: len(heard) == 2)
    source.stop()
    assert [value for value, _ in heard] == [1, 2]
    assert heard[1][1] - began >= 0.3


def test_silent_paths_age_and_the_others_stay_fresh(
    script: Path, played: tuple[ScriptedSignals, Listener]
) -> None:
    """The bus repeats its values until a line silences a path."""
    source, listener = played
    append(script, '{"signals": {"Vehicle.Speed": 0, "Vehicle.IsMoving": false}}\n')
    append(script, '{"silent": ["Vehicle.Speed"]}\n{"signals": {"Vehicle.IsMoving": true}, "after": 0.4}\n')
    listener.until(lambda: bool(source.readings().get(vss.IS_MOVING, Reading(False, 0)).value))
    assert source.readings()[vss.SPEED].age >= 0.4
    listener.until(lambda: source.readings()[vss.IS_MOVING].age < 0.4)


def test_a_broken_line_is_named_and_skipped(script: Path) -> None:
    """A line that is no reading is logged with its number, and the next one counts."""
    source, listener = ScriptedSignals(script), Listener()
    script.write_text('{"signals": {}}\nnonsense\n\n{"signals": {"Vehicle.Speed": 5}}\n', encoding="utf-8")
    with capture_logs() as logs:
        source.start(listener)
        listener.until(lambda: vss.SPEED in source.readings())
        source.stop()
    assert [entry["line"] for entry in logs] == [2]


def recording(*stamps: float | None) -> str:
    """Lines with those stamps; each says its own number as Speed."""
    lines = [{"signals": {vss.SPEED: number}, "at": at} for number, at in enumerate(stamps, start=1)]
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.mark.parametrize("start", [0.0, 1.8e9])
def test_a_recording_is_played_as_far_apart_as_its_stamps(start: float, script: Path) -> None:
    """The first line counts at once, whatever its clock; the others as much later as their stamps are."""
    append(script, recording(start, start + 0.4))
    began = time.monotonic()
    with playing(script) as (source, listener):
        listener.until(lambda: source.readings().get(vss.SPEED, Reading(0.0, 0)).value == 2)
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(
    ("text", "skipped"),
    [
        (recording(1, 1.01, 1.01, 1.02), {3: "`at` 1.01 is the same stamp as 1.01 of the line before"}),
        (
            recording(1, 1.02, 0.5, 1.01, 1.03),
            {3: "`at` 0.5 is earlier than 1.02", 4: "`at` 1.01 is earlier"},
        ),
        ('{"at": 1, "after": 2}\n', {1: "a line has `at` or `after`, not both"}),
        (
            '{"at": Infinity}\n{"at": NaN}\n{"after": -1}\n',
            {1: "finite", 2: "finite", 3: "greater than or equal"},
        ),
        ('{"signals": {"Vehicle.Speed": [1]}}\n{"speed": 1}\n', {1: "valid boolean", 2: "Extra inputs"}),
        (
            '{"signals": {"Vehicle.Sp\n\xff\n\n[]\n',
            {1: "Invalid JSON", 2: "Invalid JSON", 4: "an object"},
        ),
    ],
    ids=["duplicate", "out of order", "two times", "no time", "no line", "broken"],
)
def test_a_line_that_cannot_be_played_is_skipped_and_counted(
    text: str, skipped: dict[int, str], script: Path
) -> None:
    """Broken, out of order, twice the same stamp: told by number and reason and counted, and the rest is played."""
    source, listener = ScriptedSignals(script), Listener()
    script.write_text(text + '{"signals": {"Vehicle.IsMoving": false}}\n', encoding="latin-1")
    with capture_logs() as logs:
        source.start(listener)
        listener.until(lambda: vss.IS_MOVING in source.readings())
        source.stop()
    assert [entry["line"] for entry in logs] == list(skipped)
    assert [entry["skipped"] for entry in logs] == list(range(1, len(skipped) + 1))
    for entry, words in zip(logs, skipped.values(), strict=True):
        assert words in entry["problem"]


def test_a_long_recording_is_read_as_it_is_played(script: Path) -> None:
    """Of a recording of a year a vehicle holds what comes next, not all of it."""
    source, listener = ScriptedSignals(script), Listener()
    script.write_text(recording(0) + recording(*(60.0 * line for line in range(1, 20_000))), encoding="utf-8")
    source.start(listener)
    listener.until(lambda: vss.SPEED in source.readings())
    source.stop()
    assert 0 < len(source._lines) < 2000


def test_a_number_too_large_for_a_float_is_no_number(script: Path) -> None:
    """Whatever a script holds, telemetry can carry it and no judge believes it."""
    source, listener = ScriptedSignals(script), Listener()
    script.write_text(
        f'{{"signals": {{"{vss.SPEED}": {10**400}, "{vss.IS_MOVING}": true}}}}\n', encoding="utf-8"
    )
    source.start(listener)
    listener.until(lambda: vss.IS_MOVING in source.readings())
    source.stop()
    wire.telemetry(source.readings(), initial(0))
    assert why_missing(source.readings(), vss.SPEED, 30) == "Speed is no finite number"


def test_a_stopped_source_grows_stale(script: Path) -> None:
    """When nobody reads the bus any more, every reading ages."""
    source, listener = ScriptedSignals(script), Listener()
    script.write_text('{"signals": {"Vehicle.Speed": 5}}\n', encoding="utf-8")
    source.start(listener)
    listener.until(lambda: vss.SPEED in source.readings())
    source.stop()
    first = source.readings()[vss.SPEED].age
    assert source.readings()[vss.SPEED].age > first


def test_policy_and_telemetry_carry_what_core_needs() -> None:
    """The pool's rules and every kind of value survive the wire."""
    rules = wire.rules_of(POLICY)
    assert rules is not None
    assert (rules.min_state_of_charge_percent, rules.driver_return_grace) == (60, 0.3)
    readings = {
        vss.IS_MOVING: Reading(True, 0.5),
        vss.LOW_VOLTAGE_STATE: Reading("LOCK", 9e9),
        vss.STATE_OF_CHARGE: Reading(2.5, 0, "its clock went back by 60 s"),
    }
    told = wire.telemetry(readings, initial(0))
    assert [signal.WhichOneof("value") for signal in told.signals] == ["flag", "text", "number"]
    assert [signal.age_milliseconds for signal in told.signals] == [500, 2**32 - 1, 0]
    assert [signal.fault for signal in told.signals] == ["", "", "its clock went back by 60 s"]
    assert told.guard_state == "Run"


def test_an_unknown_plug_rule_is_refused() -> None:
    """A policy in words of a later version is an error, not a guess."""
    policy = type(POLICY)()
    policy.CopyFrom(POLICY)
    policy.charging = "WhenSunny"
    with pytest.raises(ValueError, match="WhenSunny"):
        wire.rules_of(policy)


def test_what_the_gateway_says_cannot_command_a_terminal() -> None:
    """The owner reads the pool's words by `explain`: they hold no control characters, and end somewhere."""
    policy = type(POLICY)()
    policy.CopyFrom(POLICY)
    evil = "\x1b[2J\n" + "x" * 5000
    policy.pool = evil
    policy.links.append(evil)
    policy.places.append(evil)
    policy.allow_missing_sandbox_layers.append(evil)
    policy.consent.terms_version = policy.consent.policy_ref = evil
    policy.consent.scopes.append(evil)
    rules = wire.rules_of(policy)
    assert rules is not None
    assert rules.consent is not None
    sets = (*rules.links, *rules.places, *rules.allowed_missing_layers, *rules.consent.scopes)
    for word in (rules.pool, rules.consent.terms_version, rules.consent.policy_ref, wire.word(evil), *sets):
        assert word.isprintable()
        assert len(word) <= 1024
