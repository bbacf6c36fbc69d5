"""A vehicle's KUKSA databroker: heard at once, believed only while it tells, and found again when it returns."""

import math
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from parkade_agent.signals.kuksa import Broker, KuksaSignals
from parkade_api import vss
from parkade_core.vehicle.readings import why_missing
from parkade_hack.pki import Authority, Subject
from parkade_hack.processes import free_port
from support.kuksa_broker import Databroker, Value, serving

STALE_AFTER = 30.0


class Ear:
    """A listening source, and a way to wait for what it hears."""

    def __init__(self, source: KuksaSignals) -> None:
        self.source = source
        self.heard_at = 0.0
        self._changed = threading.Condition()
        source.start(self._hear)

    def _hear(self) -> None:
        with self._changed:
            self.heard_at = time.monotonic()
            self._changed.notify_all()

    def until(self, is_so: Callable[[], bool], seconds: float = 20) -> None:
        """Waits until it is so, looking after every change."""
        ends = time.monotonic() + seconds
        with self._changed:
            while not is_so():
                assert time.monotonic() < ends, self.source.readings()
                self._changed.wait(0.05)

    def value(self, path: str) -> Value:
        """The newest value of *path*, fresh or not."""
        reading = self.source.readings().get(path)
        return reading.value if reading else None

    def is_fresh(self, path: str) -> bool:
        """Whether *path* has a fresh value, whatever it is."""
        reading = self.source.readings().get(path)
        return reading is not None and reading.age < STALE_AFTER

    def why(self, path: str) -> str:
        """Why *path* counts as missing."""
        return why_missing(self.source.readings(), path, STALE_AFTER)


@contextmanager
def listening(port: int, **more: object) -> Iterator[Ear]:
    """A source that listens to the broker at *port*."""
    ear = Ear(KuksaSignals(Broker(f"127.0.0.1:{port}", **more)))  # type: ignore[arg-type]
    try:
        yield ear
    finally:
        ear.source.stop()


@contextmanager
def connected(broker: Databroker) -> Iterator[Ear]:
    """A source that has subscribed to *broker*."""
    with serving(broker) as port, listening(port) as ear:
        ear.until(lambda: bool(broker.subscribed))
        yield ear


def test_a_change_is_heard_within_milliseconds() -> None:
    """From a provider's word to the guard's ear it takes milliseconds."""
    broker, took = Databroker(vss.SPEED), []
    with connected(broker) as ear:
        for speed in range(1, 31):
            told_at = time.monotonic()
            broker.publish({vss.SPEED: float(speed)})
            ear.until(lambda speed=speed: ear.value(vss.SPEED) == speed)  # type: ignore[misc]
            took.append(ear.heard_at - told_at)
    assert statistics.median(took) < 0.05


def test_what_a_broker_has_stored_is_not_fresh_until_it_is_told_again() -> None:
    """A provider may have died long ago: only a datapoint that comes while the agent listens counts."""
    broker = Databroker(vss.SPEED)
    broker.publish({vss.SPEED: 0.0})
    with connected(broker) as ear:
        ear.until(lambda: ear.value(vss.SPEED) == 0)
        assert ear.why(vss.SPEED) == "Speed was not heard yet, only what it once was"
        broker.publish({vss.SPEED: 0.0})
        ear.until(lambda: ear.is_fresh(vss.SPEED))
        assert ear.why(vss.SPEED) == ""


def test_a_broker_that_is_cut_off_is_found_again() -> None:
    """While it is away its readings age, a newer value that it stored meanwhile is not fresh, and then it is heard."""
    broker = Databroker(vss.SPEED)
    with ExitStack() as stack:
        with serving(broker, free_port()) as port:
            ear = stack.enter_context(listening(port))
            ear.until(lambda: bool(broker.subscribed))
            broker.publish({vss.SPEED: 0.0})
            ear.until(lambda: ear.is_fresh(vss.SPEED))
        cut_at = time.monotonic()
        broker.publish({vss.SPEED: 5.0})
        stack.enter_context(serving(broker, port))
        ear.until(lambda: ear.value(vss.SPEED) == 5)
        assert ear.source.readings()[vss.SPEED].age >= time.monotonic() - cut_at - 0.1
        ear.until(lambda: len(broker.subscribed) == 2)
        told_at = time.monotonic()
        broker.publish({vss.SPEED: 6.0})
        ear.until(lambda: ear.value(vss.SPEED) == 6)
        assert ear.source.readings()[vss.SPEED].age <= time.monotonic() - told_at


def test_a_broker_that_lost_its_values_leaves_none() -> None:
    """After the broker's restart nothing is known until providers publish again."""
    with ExitStack() as stack:
        broker = Databroker(vss.SPEED)
        with serving(broker, free_port()) as port:
            ear = stack.enter_context(listening(port))
            ear.until(lambda: bool(broker.subscribed))
            broker.publish({vss.SPEED: 0.0})
            ear.until(lambda: ear.is_fresh(vss.SPEED))
        reborn = Databroker(vss.SPEED)
        stack.enter_context(serving(reborn, port))
        ear.until(lambda: vss.SPEED not in ear.source.readings())
        assert ear.why(vss.SPEED) == "no Speed is heard"


def test_a_broker_with_another_catalogue_leaves_nothing_of_the_old_one() -> None:
    """The vehicle was updated: what the broker does not offer any more is missing, what is new is heard."""
    with ExitStack() as stack:
        broker = Databroker(vss.SPEED)
        with serving(broker, free_port()) as port:
            ear = stack.enter_context(listening(port))
            ear.until(lambda: bool(broker.subscribed))
            broker.publish({vss.SPEED: 0.0})
            ear.until(lambda: ear.is_fresh(vss.SPEED))
        updated = Databroker(vss.IS_MOVING)
        stack.enter_context(serving(updated, port))
        ear.until(lambda: bool(updated.subscribed))
        updated.publish({vss.IS_MOVING: False})
        ear.until(lambda: set(ear.source.readings()) == {vss.IS_MOVING})


def test_a_broker_that_tells_too_much_is_not_heard_there() -> None:
    """Words about paths that nobody asked for are left alone."""
    broker = Databroker(vss.SPEED, "Vehicle.Cabin.Light.Intensity")
    broker.tells_too_much = True
    with connected(broker) as ear:
        broker.publish({"Vehicle.Cabin.Light.Intensity": 3, vss.SPEED: 1.0})
        ear.until(lambda: ear.is_fresh(vss.SPEED))
        assert set(ear.source.readings()) == {vss.SPEED}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("fast", "Speed is a text and must be a number"),
        (True, "Speed is true or false and must be a number"),
        (math.nan, "Speed is no finite number"),
        (9000.0, "Speed 9000 km/h is outside -150..500"),
        (None, "no Speed is heard"),
    ],
)
def test_a_value_that_cannot_be_is_missing_with_its_reason(value: Value, words: str) -> None:
    """A type that changed, no number, a value out of range or taken away: at once it counts as missing."""
    broker = Databroker(vss.SPEED)
    with connected(broker) as ear:
        broker.publish({vss.SPEED: 0.0})
        ear.until(lambda: ear.why(vss.SPEED) == "")
        broker.publish({vss.SPEED: value})
        ear.until(lambda: ear.why(vss.SPEED) == words)
        broker.publish({vss.SPEED: 0.0})
        ear.until(lambda: ear.why(vss.SPEED) == "")


@pytest.mark.parametrize(
    ("step", "words"), [(-3600.0, "its clock went back by 36"), (3600.0, "its clock jumped ahead by 36")]
)
def test_a_clock_that_is_set_costs_one_reading(step: float, words: str) -> None:
    """A stamp an hour off is not believed; the next one, which follows it, is."""
    broker = Databroker(vss.SPEED)
    with connected(broker) as ear:
        broker.publish({vss.SPEED: 0.0})
        ear.until(lambda: ear.is_fresh(vss.SPEED))
        broker.lead += step
        broker.publish({vss.SPEED: 0.0})
        ear.until(lambda: words in ear.why(vss.SPEED))
        broker.publish({vss.SPEED: 0.0})
        ear.until(lambda: ear.why(vss.SPEED) == "")


def test_names_of_vss_5_and_several_ports_are_one_signal() -> None:
    """Any port that is plugged in plugs the vehicle in; what Parkade does not read is not asked for."""
    charging = "Vehicle.Powertrain.TractionBattery.Charging.ChargingPort"
    left, right = (f"{charging}.{at}.IsChargingCableConnected" for at in ("FrontLeft", "RearRight"))
    broker = Databroker(left, right, "Vehicle.Cabin.Infotainment.Media.Volume", "Vehicle.Speed.Unheard")
    with connected(broker) as ear:
        assert broker.subscribed == [[left, right]]
        broker.publish({left: False, right: True, "Vehicle.Cabin.Infotainment.Media.Volume": 11})
        ear.until(lambda: ear.value(vss.PLUGGED_IN) is True)
        broker.publish({right: False})
        ear.until(lambda: ear.value(vss.PLUGGED_IN) is False)
        assert set(ear.source.readings()) == {vss.PLUGGED_IN}


@pytest.mark.parametrize(
    ("broker", "words"),
    [
        (None, "UNIMPLEMENTED"),
        (Databroker("Vehicle.Cabin.Infotainment.Media.Volume"), "nothing below Vehicle that Parkade reads"),
        (Databroker(vss.SPEED, token="secret"), "UNAUTHENTICATED"),  # noqa: S106 - a test's
    ],
)
def test_a_server_that_cannot_help_is_named_and_asked_again(broker: Databroker | None, words: str) -> None:
    """Another program, a broker with nothing of ours, one that wants a token: told why, tried again, ended at once."""
    with capture_logs() as logs, serving(broker) as port, listening(port) as ear:
        ends = time.monotonic() + 20
        while len(logs) < 2 and time.monotonic() < ends:
            time.sleep(0.02)
        assert ear.source.readings() == {}
        stopped_at = time.monotonic()
    assert time.monotonic() - stopped_at < 5
    assert [words in entry["why"] for entry in logs[:2]] == [True, True]


def test_tls_and_a_token_that_comes_late(tmp_path: Path) -> None:
    """The broker's certificate is checked under the name that is set, and the token is read at each connection."""
    authority = Authority(tmp_path, "broker-ca")
    pair = authority.issue("broker", Subject("Server", dns=("Server",), is_server=True))
    credentials = grpc.ssl_server_credentials([(pair.key.read_bytes(), pair.cert.read_bytes())])
    token = tmp_path / "token"
    broker = Databroker(vss.SPEED, token="the right one")  # noqa: S106 - a test's
    settings = {"ca_file": authority.files.cert, "server_name": "Server", "token_file": token}
    token.write_text("a wrong one\n")
    with serving(broker, 0, credentials) as port, capture_logs() as logs, listening(port, **settings) as ear:
        ear.until(lambda: any("UNAUTHENTICATED" in entry.get("why", "") for entry in logs))
        token.write_text("the right one\n")
        ear.until(lambda: bool(broker.subscribed))
        broker.publish({vss.SPEED: 1.0})
        ear.until(lambda: ear.is_fresh(vss.SPEED))


def test_a_vehicle_without_a_broker_can_stop() -> None:
    """Nobody answers at the address: the source waits for it, and stops when told."""
    with listening(free_port()) as ear:
        assert ear.why(vss.SPEED) == "no Speed is heard"
    assert ear.source.readings() == {}
