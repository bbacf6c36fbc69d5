"""Scripted signals: a file that is played and followed."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from parkade_agent import wire
from parkade_agent.signals.scripted import ScriptedSignals
from parkade_api import vss
from parkade_core.vehicle.guard import initial
from parkade_core.vehicle.readings import Reading
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
            assert self._changed.wait_for(is_so, timeout=5)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The path of a script that does not exist yet."""
    return tmp_path / "signals.jsonl"


@pytest.fixture
def played(script: Path) -> Iterator[tuple[ScriptedSignals, Listener]]:
    """The script's signals, playing."""
    source, listener = ScriptedSignals(script), Listener()
    source.start(listener)
    yield source, listener
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


def test_after_waits_since_the_line_before(script: Path, played: tuple[ScriptedSignals, Listener]) -> None:
    """A line with `after` is applied that many seconds after the previous one, not before."""
    source, listener = played
    append(script, '{"signals": {"Vehicle.Speed": 1}}\n{"signals": {"Vehicle.Speed": 2}, "after": 0.3}\n')
    listener.until(lambda: vss.SPEED in source.readings())
    assert source.readings()[vss.SPEED].value == 1
    listener.until(lambda: source.readings()[vss.SPEED].value == 2)


def test_silent_paths_age_and_the_others_stay_fresh(
    script: Path, played: tuple[ScriptedSignals, Listener]
) -> None:
    """The bus repeats its values until a line silences a path."""
    source, listener = played
    append(script, '{"signals": {"Vehicle.Speed": 0, "Vehicle.IsMoving": false}}\n')
    append(script, '{"silent": ["Vehicle.Speed"]}\n{"signals": {"Vehicle.IsMoving": true}, "after": 0.4}\n')
    listener.until(lambda: bool(source.readings().get(vss.IS_MOVING, Reading(False, 0)).value))
    assert source.readings()[vss.SPEED].age >= 0.4
    assert source.readings()[vss.IS_MOVING].age < 0.4


def test_a_broken_line_is_named_and_skipped(script: Path) -> None:
    """A line that is no reading is logged with its number, and the next one counts."""
    source, listener = ScriptedSignals(script), Listener()
    script.write_text('{"signals": {}}\nnonsense\n\n{"signals": {"Vehicle.Speed": 5}}\n', encoding="utf-8")
    with capture_logs() as logs:
        source.start(listener)
        listener.until(lambda: vss.SPEED in source.readings())
        source.stop()
    assert [entry["line"] for entry in logs] == [2]


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
    assert (rules.min_state_of_charge_percent, rules.driver_return_grace) == (60, 0.3)
    readings = {"a": Reading(True, 0.5), "b": Reading(2.5, 0), "c": Reading("LOCK", 9e9)}
    told = wire.telemetry(readings, initial(0))
    assert [signal.WhichOneof("value") for signal in told.signals] == ["flag", "number", "text"]
    assert [signal.age_milliseconds for signal in told.signals] == [500, 0, 2**32 - 1]
    assert told.guard_state == "Run"


def test_an_unknown_plug_rule_is_refused() -> None:
    """A policy in words of a later version is an error, not a guess."""
    policy = type(POLICY)()
    policy.CopyFrom(POLICY)
    policy.charging = "WhenSunny"
    with pytest.raises(ValueError, match="WhenSunny"):
        wire.rules_of(policy)
