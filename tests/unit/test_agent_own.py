"""What only the vehicle knows of itself: its clock, its link, its load, and its owner's word."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from parkade_agent import own as owning
from parkade_agent.clock import NOTE as CLOCK_NOTE
from parkade_agent.energy import EnergyMeter
from parkade_agent.errors import JournalBroken
from parkade_agent.host import link_kind
from parkade_agent.own import Lent, Own
from parkade_agent.owner.files import OwnerWord
from parkade_api import vss
from parkade_core.vehicle.consent import Consent
from parkade_core.vehicle.limits import OwnerLimits
from parkade_core.vehicle.position import Place, Position
from parkade_core.vehicle.readings import Reading, Readings, Value
from support.clocks import START, Times

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
{name}\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
{name}\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
"""


class Heard:
    """Signals that stay as they are set."""

    def __init__(self, values: dict[str, Value]) -> None:
        self.told = {path: Reading(value, 0.0) for path, value in values.items()}

    def start(self, on_change: Callable[[], None]) -> None:
        """Says nothing of its own accord."""

    def readings(self) -> Readings:
        """All of them."""
        return self.told

    def stop(self) -> None:
        """Nothing to end."""


@pytest.mark.parametrize(
    ("name", "bus", "marks", "kind"),
    [
        ("eth0", "pci", {"type": "1\n"}, "ethernet"),
        ("eth0", "platform", {"type": "1\n"}, "ethernet"),
        ("wlp2s0", "pci", {"type": "1\n", "wireless": None}, "wifi"),
        ("wwan0", "usb", {"type": "1\n"}, "cellular"),
        ("usb0", "usb", {"type": "1\n", "uevent": "DEVTYPE=wwan\nINTERFACE=usb0\n"}, "cellular"),
        ("enx0", "usb", {"type": "1\n"}, ""),  # a telephone, perhaps
        ("eth0", "virtio", {"type": "1\n"}, ""),
        ("eth0", "", {"type": "1\n"}, ""),  # a container's end of a pair, a bridge, a VLAN
        ("tun0", "", {"type": "65534\n"}, ""),
        ("ib0", "pci", {"type": "32\n"}, ""),
        ("eth0", "pci", {}, ""),
    ],
)
def test_the_link_is_that_of_the_default_route(
    tmp_path: Path, name: str, bus: str, marks: dict[str, str | None], kind: str
) -> None:
    """Of several the one that the kernel prefers; a cable is one only where the port is the computer's own."""
    routes, interface = tmp_path / "route", tmp_path / "net" / name
    routes.write_text(ROUTES.format(name=name))
    interface.mkdir(parents=True)
    if bus:
        (tmp_path / "bus" / bus).mkdir(parents=True)
        (interface / "device").mkdir()
        (interface / "device" / "subsystem").symlink_to(tmp_path / "bus" / bus)
    for mark, text in marks.items():
        (interface / mark).mkdir() if text is None else (interface / mark).write_text(text)
    assert link_kind(routes, tmp_path / "net") == kind


def test_no_route_is_no_link(tmp_path: Path) -> None:
    """Nor is a system that has no such file."""
    absent = tmp_path / "absent"
    (tmp_path / "route").write_text(ROUTES.splitlines()[0])
    assert link_kind(tmp_path / "route", routes_v6=absent) == link_kind(absent, routes_v6=absent) == ""


def test_a_default_route_of_ipv6_alone_is_a_link(tmp_path: Path) -> None:
    """A modem that gives no other address counts as one; what the kernel rejects on lo is no route."""
    nowhere = "0" * 32
    row = f"{nowhere} {{length}} {nowhere} 00 {nowhere} {{metric}} 00000001 00000000 00000003 {{name}}\n"
    routes = tmp_path / "ipv6_route"
    routes.write_text(
        row.format(length="40", metric="00000001", name="eth0")
        + row.format(length="00", metric="00000400", name="wwan0")
        + row.format(length="00", metric="ffffffff", name="lo")
    )
    assert link_kind(tmp_path / "absent", tmp_path / "net", routes) == "cellular"


class Broken:
    """A journal on a disk that fails."""

    trouble = "the disk is read-only"

    def recall(self, name: str) -> str | None:
        """Fails."""
        raise JournalBroken(f"{name}: {self.trouble}")

    def remember(self, name: str, text: str) -> None:
        """Fails."""
        raise JournalBroken(f"{name}={text}: {self.trouble}")


async def test_a_broken_journal_stops_nothing_here() -> None:
    """The energy goes on being counted; the trouble itself is a reason of the guard."""
    meter = EnergyMeter(Broken(), watts_per_core=3600.0)
    meter.take(4.0, None, "2026-11-22")
    await meter.note(at_once=True)
    assert meter.wh_today == pytest.approx(4.0)
    assert own(Heard({}), meter=meter)().trouble == "the disk is read-only"


@dataclass
class Working:
    """A slot's programs: what they have used, and whether one outlives its kill."""

    used: Callable[[], float] = lambda: 0.0
    held: str = ""

    def cpu_seconds(self) -> float:
        """As it is told."""
        return self.used()

    def unkillable(self) -> str:
        """As it is told."""
        return self.held


def own(
    source: Heard,
    word: OwnerWord | None = None,
    meter: EnergyMeter | None = None,
    times: Times | None = None,
    work: Working | None = None,
) -> Own:
    """A vehicle that lends four lanes."""
    return Own(
        Lent(lanes=4, watts_per_core=10.0, missing_layers=("seccomp",)),
        source,
        lambda: word or OwnerWord(),
        Broken(),
        meter or EnergyMeter(Broken(), 10.0),
        (times or Times()).clock(),
        work or Working(),
    )


def test_all_that_is_known_comes_together() -> None:
    """The owner's word, the place by the owner's names, and what the vehicle lends."""
    garage = Place("home", Position(52.52, 13.4), 200)
    word = OwnerWord(limits=OwnerLimits(max_lanes=2), places=(garage,), paused_because="the owner paused")
    found = own(Heard({vss.LATITUDE: 52.5201, vss.LONGITUDE: 13.4}), word)()
    assert (found.place, found.lanes, found.watts_per_lane) == ("home", 4, 10.0)
    assert (found.paused_because, found.limits.max_lanes) == ("the owner paused", 2)
    assert found.missing_layers == ("seccomp",)
    assert found.wall == datetime.fromtimestamp(START, UTC)
    assert own(Heard({vss.LATITUDE: 52.6, vss.LONGITUDE: 13.4}), word)().place == ""
    assert own(Heard({}), word)().place == ""


@pytest.mark.parametrize(
    ("reading", "wanted"),
    [
        (None, 0),
        (Reading(0.0, 30.0), None),
        (Reading(float("nan"), 0.0), None),
        (Reading(140.0, 0.0), None),
        (Reading(0.0, 0.0, fault="its clock went back by 3600 s"), None),
    ],
)
async def test_a_load_that_was_told_and_is_not_believed_gives_no_lane_back(
    reading: Reading | None, wanted: int | None
) -> None:
    """Nobody knows then what the owner's programs want; a vehicle that never tells its load wants nothing."""
    told = asyncio.Queue[bool]()
    source = Heard({})
    source.told = {} if reading is None else {vss.COMPUTE_LOAD: reading}
    mine = own(source)
    keeping = asyncio.create_task(mine.keep(lambda: told.put_nowait(True)))
    await asyncio.wait_for(told.get(), 10)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert mine().wanted_cores == wanted


async def test_the_guard_hears_of_what_changes_by_itself() -> None:
    """It is told at first, and again when the clock is stepped; power that the platform measures is counted."""
    times, told, used = Times(), asyncio.Queue[bool](), iter(range(1, 100))
    meter = EnergyMeter(Broken(), 10.0)
    source = Heard({vss.COMPUTE_WATTS: 3600.0, vss.COMPUTE_LOAD: 100.0})
    mine = own(source, meter=meter, times=times, work=Working(lambda: float(next(used))))
    keeping = asyncio.create_task(mine.keep(lambda: told.put_nowait(mine().wall is None)))
    assert await told.get() is False
    times.real += 3600
    assert await asyncio.wait_for(told.get(), 10) is True
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert mine().energy_wh_today == meter.wh_today > 0


async def test_the_guard_hears_of_a_program_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else would wake it: a parked vehicle's signals stand still."""
    monkeypatch.setattr("parkade_agent.own.LOOK_SECONDS", 0.01)
    work, told = Working(), asyncio.Queue[str]()
    mine = own(Heard({}), work=work)
    keeping = asyncio.create_task(mine.keep(lambda: told.put_nowait(mine().unkillable)))
    assert await told.get() == ""
    work.held = "process 7"
    assert await asyncio.wait_for(told.get(), 10) == "process 7"
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_the_end_of_a_consent_is_remembered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No clock that is set back to the minute before can begin it anew; the agent's own end is remembered, too."""
    monkeypatch.setattr(owning, "LOOK_SECONDS", 0.01)
    times = Times()
    consent = Consent(1, "v1", "2", frozenset({"public-data"}), START - 10, START + 10)
    mine = own(Heard({}), OwnerWord(consent=consent), times=times)
    # So that who cancels both also waits for both.
    keeping = asyncio.gather(mine.keep(lambda: None), mine.remember(), return_exceptions=True)
    noted = times.notes.texts
    async with asyncio.timeout(10):
        while CLOCK_NOTE not in noted:  # noqa: ASYNC110 - a journal tells nobody
            await asyncio.sleep(0.01)
        times.pass_by(10)
        while float(noted[CLOCK_NOTE]) < consent.expires_at:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.01)
    times.pass_by(5)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert times.notes.writes == 3
