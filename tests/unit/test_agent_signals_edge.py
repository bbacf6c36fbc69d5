"""At the edge of the vehicle: names, words and stamps of sources, the host's temperature, and which source is used."""

import threading
from collections.abc import Callable
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from parkade_agent import wire
from parkade_agent.settings import Settings
from parkade_agent.signals.chosen import signals_of
from parkade_agent.signals.heard import QUIET_SECONDS, Heard
from parkade_agent.signals.host import HostSignals
from parkade_agent.signals.names import folded, known
from parkade_agent.signals.scripted import ScriptedSignals
from parkade_agent.signals.source import Joined
from parkade_api import vss
from parkade_api.proto.kuksa.val.v2 import val_pb2
from parkade_api.settings import load
from parkade_core.vehicle.guard import initial
from parkade_core.vehicle.readings import Reading, Readings, Value, flag, number, text, why_missing

CHARGING = "Vehicle.Powertrain.TractionBattery.Charging"
LEFT, RIGHT = (f"{CHARGING}.ChargingPort.{at}.IsChargingCableConnected" for at in ("FrontLeft", "RearRight"))
HEAT = "Vehicle.ControlUnit.{}.Health.Resources.Temperature"


@pytest.mark.parametrize(
    ("offered", "name"),
    [
        (vss.SPEED, vss.SPEED),
        (f"{CHARGING}.IsChargingCableConnected", vss.PLUGGED_IN),
        (LEFT, vss.PLUGGED_IN),
        (HEAT.format("Infotainment"), vss.COMPUTE_CELSIUS),
        (f"{CHARGING}.IsChargingCableLocked", None),
        ("Vehicle.Speed.Wheel", None),
        ("Vehicle", None),
    ],
)
def test_names_are_those_of_vss_6(offered: str, name: str | None) -> None:
    """Whatever the vehicle calls it, core knows one name; what it does not read is left alone."""
    assert known([offered]) == ({} if name is None else {offered: name})


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        (Reading(False, 1), Reading(True, 2), Reading(True, 2)),
        (Reading(False, 1), Reading(False, 2), Reading(False, 1)),
        (Reading(True, 40), Reading(False, 1), Reading(True, 40)),
        (Reading(True, 1), Reading("yes", 1), Reading("yes", 1)),
        (Reading(True, 1, "its clock jumped"), Reading(True, 1), Reading(True, 1, "its clock jumped")),
    ],
)
def test_of_several_ports_the_plugged_one_speaks(left: Reading, right: Reading, told: Reading) -> None:
    """One that is plugged in counts, and one that cannot be true spoils all: not knowing is never plugged in."""
    names = known([LEFT, RIGHT])
    assert folded({LEFT: left, RIGHT: right}, names) == {vss.PLUGGED_IN: told}
    assert folded({RIGHT: right, LEFT: left}, names) == {vss.PLUGGED_IN: told}


def test_of_several_computers_the_hottest_speaks() -> None:
    """The temperature that counts is that of the hottest computer."""
    cool, hot = HEAT.format("Central"), HEAT.format("Zone1")
    told = folded({cool: Reading(40.0, 0), hot: Reading(71.0, 3)}, known([cool, hot]))
    assert told == {vss.COMPUTE_CELSIUS: Reading(71.0, 3)}


@pytest.mark.parametrize("age", [40.0, float("inf")])
def test_a_silent_computer_is_not_hidden_by_another_one(age: float) -> None:
    """What was the cooler one when it was last heard may be the hottest by now."""
    silent, heard = HEAT.format("Central"), HEAT.format("Zone1")
    told = folded({silent: Reading(40.0, age), heard: Reading(71.0, 3)}, known([silent, heard]))
    assert told == {vss.COMPUTE_CELSIUS: Reading(71.0, age)}


def test_the_agent_has_no_words_to_move_anything() -> None:
    """Of the broker's calls it knows those that read: none publishes a value, none moves an actuator."""
    calls = val_pb2.DESCRIPTOR.services_by_name["VAL"].methods_by_name
    assert set(calls) == {"GetServerInfo", "GetValues", "ListMetadata", "Subscribe"}


def test_age_is_by_our_clock_whatever_the_stamps_say() -> None:
    """Stamps that run on, or lie far in the future, keep nothing fresh: only hearing does."""
    heard = Heard()
    heard.take(vss.SPEED, 0.0, 1e9, 100.0, is_stored=False)
    heard.take(vss.SPEED, 0.0, 1e9 + 40, 140.0, is_stored=True)
    assert heard.readings(145.0) == {vss.SPEED: Reading(0.0, 45.0)}


def test_a_stored_value_has_no_age() -> None:
    """What was stored before the source listened may be of any age, until it is heard."""
    heard = Heard()
    assert heard.take(vss.SPEED, 0.0, 10.0, 100.0, is_stored=True)
    assert heard.readings(100.0) == {vss.SPEED: Reading(0.0, inf)}
    assert not heard.take(vss.SPEED, 0.0, 10.0, 101.0, is_stored=False)
    assert heard.take(vss.SPEED, 0.0, 11.0, 101.0, is_stored=False)
    assert heard.readings(102.0) == {vss.SPEED: Reading(0.0, 1.0)}
    assert heard.take(vss.SPEED, 5.0, 11.0, 103.0, is_stored=False), (
        "another value with the same stamp is heard"
    )


def test_a_bus_that_repeats_itself_is_no_news() -> None:
    """The guard is woken by what changed, and by a repetition only when the one before is long ago."""
    heard = Heard()
    news = [heard.take(vss.SPEED, 0.0, now, now, is_stored=False) for now in (0.0, 0.01, 0.02)]
    assert news == [True, False, False]
    assert heard.take(vss.SPEED, 1.0, 0.03, 0.03, is_stored=False)
    assert heard.take(vss.SPEED, 1.0, 1.0, 0.03 + QUIET_SECONDS, is_stored=False)
    assert heard.forget(vss.SPEED)
    assert not heard.forget(vss.SPEED)


STORED = st.tuples(
    st.sampled_from([LEFT, RIGHT, vss.SPEED, vss.LATITUDE, vss.LOW_VOLTAGE_STATE]),
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(-(2**63), 2**64 - 1), st.text()),
    st.one_of(st.floats(0, 2e9), st.sampled_from([0.0, 1.0])),
    st.booleans(),
    st.floats(0, 50),
)


@given(st.lists(STORED, max_size=30))
def test_whatever_a_broker_says_is_sane_or_missing_and_can_be_told(
    said: list[tuple[str, Value | None, float, bool, float]],
) -> None:
    """Any values with any stamps in any order: each reading is usable or says why not, and telemetry carries all."""
    heard, now = Heard(), 0.0
    for path, value, stamp, is_stored, seconds in said:
        now += seconds
        if value is None:
            heard.forget(path)
        else:
            heard.take(path, value, stamp, now, is_stored=is_stored)
    readings = folded(heard.readings(now), known([path for path, *_ in said]))
    for path in readings:
        asked = [ask(readings, path, 30) for ask in (flag, number, text)]
        assert (asked == [None, None, None]) == bool(why_missing(readings, path, 30))
    assert len(wire.telemetry(readings, initial(0)).signals) <= len(readings)


def zone(folder: Path, name: str, said: str) -> None:
    """A thermal zone as the kernel shows one."""
    (folder / f"thermal_zone{name}").mkdir()
    (folder / f"thermal_zone{name}" / "temp").write_text(said)


def test_the_host_tells_its_hottest_zone(tmp_path: Path) -> None:
    """Of all zones that can be read the hottest counts, in whole degrees."""
    for name, said in {"0": "41000\n", "1": "67499\n", "2": "asleep\n"}.items():
        zone(tmp_path, name, said)
    heard = threading.Event()
    source = HostSignals(tmp_path)
    source.start(heard.set)
    assert heard.wait(10)
    source.stop()
    assert source.readings()[vss.COMPUTE_CELSIUS].value == 67


def test_a_host_without_zones_tells_nothing(tmp_path: Path) -> None:
    """No thermal zone: the temperature is missing, not zero."""
    source = HostSignals(tmp_path)
    source.start(lambda: None)
    source.stop()
    assert source.readings() == {}


class Fixed:
    """A source that tells always the same."""

    def __init__(self, told: Readings) -> None:
        self._told = told
        self.is_on = False

    def start(self, on_change: Callable[[], None]) -> None:
        """Says so once."""
        self.is_on = True
        on_change()

    def readings(self) -> Readings:
        """What it tells."""
        return self._told

    def stop(self) -> None:
        """Nothing more."""
        self.is_on = False


def test_the_first_source_that_has_a_path_tells_it() -> None:
    """The vehicle's own word comes before the host's; what only the host has is taken from there."""
    vehicle = Fixed({vss.SPEED: Reading(0.0, 1), vss.COMPUTE_CELSIUS: Reading(40.0, 1)})
    host = Fixed({vss.COMPUTE_CELSIUS: Reading(60.0, 0), vss.COMPUTE_LOAD: Reading(5.0, 0)})
    joined, changes = Joined(vehicle, host), []
    joined.start(lambda: changes.append(1))
    assert changes == [1, 1]
    assert {path: reading.value for path, reading in joined.readings().items()} == {
        vss.SPEED: 0.0,
        vss.COMPUTE_CELSIUS: 40.0,
        vss.COMPUTE_LOAD: 5.0,
    }
    joined.stop()
    assert not vehicle.is_on
    assert not host.is_on


@pytest.mark.parametrize(
    ("given", "words"),
    [({}, "neither is set"), ({"signals_file": "/x", "kuksa_address": "localhost:55555"}, "both are set")],
)
def test_signals_have_one_source(given: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a source, and with two, the agent does not start and says why."""
    monkeypatch.delenv("PARKADE_SIGNALS_FILE", raising=False)
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate({"state_dir": "/x"} | given)


def test_what_settings_contradict_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule about several settings is told without the name of one."""
    monkeypatch.delenv("PARKADE_SIGNALS_FILE", raising=False)
    with pytest.raises(SystemExit):
        load(Settings, "parkade-agent", ["--state-dir", "/x"])
    assert capsys.readouterr().err.startswith("parkade-agent: signals come from PARKADE_KUKSA_ADDRESS or ")


def test_the_source_is_the_one_that_is_set(tmp_path: Path) -> None:
    """A script is played; a broker is listened to, with the host beside it."""
    scripted = Settings(state_dir=tmp_path, signals_file=tmp_path / "signals.jsonl")
    broker = Settings(state_dir=tmp_path, kuksa_address="localhost:55555")
    assert isinstance(signals_of(scripted), ScriptedSignals)
    assert isinstance(signals_of(broker), Joined)
