"""The energy that work used today: counted over restarts, wrong dates and power that is not believed."""

from pathlib import Path

import pytest

from parkade_agent.energy import NOTE, EnergyMeter
from parkade_agent.journal.journal import Journal


async def test_energy_outlives_the_agent(tmp_path: Path) -> None:
    """A restart goes on counting the day where the journal has it."""
    journal = Journal(tmp_path / "journal.sqlite")
    meter = EnergyMeter(journal, watts_per_core=3600.0)
    assert meter.take(5.0, None, "2026-11-22") > 0
    await meter.note(at_once=True)
    assert meter.wh_today == pytest.approx(5.0)
    again = EnergyMeter(journal, watts_per_core=3600.0)
    again.take(2.0, None, "2026-11-22")
    assert again.wh_today == pytest.approx(7.0)
    again.take(3.0, None, "2026-11-23")
    assert again.wh_today == pytest.approx(1.0)
    journal.close()


async def test_one_wrong_date_does_not_lock_the_energy_for_ever(tmp_path: Path) -> None:
    """A clock that showed 2099 for one start: what was used then counts today, and tomorrow begins at nothing."""
    journal = Journal(tmp_path / "journal.sqlite")
    wrong = EnergyMeter(journal, watts_per_core=3600.0)
    wrong.take(5.0, None, "2099-01-01")
    await wrong.note(at_once=True)
    meter = EnergyMeter(journal, watts_per_core=3600.0)
    for today, cpu_seconds, wh in (
        ("", 1.0, 6.0),
        ("2026-11-22", 2.0, 7.0),
        ("2026-11-22", 3.0, 8.0),
        ("2026-11-21", 4.0, 9.0),  # another time zone
        ("2026-11-22", 5.0, 10.0),
        ("2026-11-23", 6.0, 1.0),
    ):
        meter.take(cpu_seconds, None, today)
        assert meter.wh_today == pytest.approx(wh)
    journal.close()


class Disk:
    """A journal that counts what is written to it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def recall(self, name: str) -> str | None:
        """Nothing yet."""
        return None if name == NOTE else name

    def remember(self, name: str, text: str) -> None:
        """Writes."""
        self.lines.append(f"{name} {text}")


async def test_an_idle_vehicle_writes_nothing() -> None:
    """Its disk is woken for energy only when some was used, and then once a minute."""
    disk = Disk()
    meter = EnergyMeter(disk, watts_per_core=3600.0)
    for _ in range(3):
        meter.take(0.0, 5.0, "")
        await meter.note(at_once=True)
    assert disk.lines == []
    meter.take(1.0, None, "2026-11-22")
    await meter.note()
    assert disk.lines == []
    await meter.note(at_once=True)
    assert disk.lines == ["energy.today 2026-11-22 1.000000"]


async def test_a_damaged_note_is_no_crash(tmp_path: Path) -> None:
    """The meter begins anew, and says so in the log."""
    journal = Journal(tmp_path / "journal.sqlite")
    journal.remember(NOTE, "nonsense")
    assert EnergyMeter(journal, 10.0).wh_today == 0
    journal.close()


def test_power_that_is_not_believed_any_more_counts_as_it_was_or_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever is stricter: what was measured last, or what the CPU time is reckoned at."""
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    meter = EnergyMeter(Disk(), watts_per_core=3600.0)
    counted = []
    for cpu_seconds, watts in ((0.0, 7200.0), (1.0, 7200.0), (2.0, None), (5.0, None), (6.0, 100.0)):
        before, now = meter.wh_today, now + 1
        meter.take(cpu_seconds, watts, "2026-11-22")
        counted.append(round(meter.wh_today - before, 3))
    assert counted == [0.0, 2.0, 2.0, 3.0, 0.028]
