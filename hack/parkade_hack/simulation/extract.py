"""Takes what the simulation needs out of fastsim, ev2gym and emobpy, in the environment of requirements/simulation.txt.

Run as `python extract.py OUT.json`; `sources.read` says what each name means. FASTSim is run; of the other two only
data files are read, and nothing of theirs is imported.
"""

import csv
import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import fastsim

YEAR: Final = "2016"
"""The only whole year of emobpy's weather."""
VEHICLES: Final = (
    "2016 Nissan Leaf 30 kWh thrml",
    "2020 Chevrolet Bolt EV thrml",
    "2022 Tesla Model 3 RWD thrml",
)
CYCLES: Final = {"city": "udds.csv", "motorway": "hwfet.csv"}
CELSIUS_OUTSIDE: Final = (-10.0, 0.0, 10.0, 20.0, 30.0, 40.0)
PLACES: Final = {"private": "home", "public": "public", "workplace": "work"}
"""ev2gym's names of places, in its files of arrivals and in those of stays."""
MINUTE: Final = 60
ZERO_CELSIUS: Final = 273.15
JOULES_PER_KWH: Final = 3.6e6

Json = dict[str, Any]


def main() -> None:
    """Writes everything into one file."""
    found = {
        "models": [model(name) for name in VEHICLES],
        "habits": {place: habits(place, short) for place, short in PLACES.items()},
        "celsius": [float(row["DE"]) - ZERO_CELSIUS for row in of_year("emobpy", "ERA5-hourly-t2m", "date")],
        "price": [
            float(row["Price (EUR/MWhe)"]) / 1000
            for row in of_year("ev2gym", "Netherlands_day-ahead-2015-2024", "Datetime (UTC)")
        ],
    }
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")


def model(name: str) -> Json:
    """One vehicle with its drives."""
    vehicle = fastsim.Vehicle.from_resource(f"{name}.yaml")
    vehicle.set_save_interval(1)
    plain = vehicle.to_dict()
    battery = plain["pt_type"]["BEV"]["res"]
    thermal = battery["thrml"]["RESLumpedThermal"]
    return {
        "name": name.removesuffix(" thrml"),
        "battery_kwh": battery["energy_capacity_joules"] / JOULES_PER_KWH,
        "joules_per_kelvin": thermal["heat_capacitance_joules_per_kelvin"],
        "watts_per_kelvin": thermal["conductance_to_amb_watts_per_kelvin"],
        "drives": {
            cycle: [drive(plain, file, celsius) for celsius in CELSIUS_OUTSIDE]
            for cycle, file in CYCLES.items()
        },
    }


def drive(plain: Json, cycle_file: str, celsius: float) -> Json:
    """One cycle, begun by a vehicle that has stood outside for long."""
    kelvin = celsius + ZERO_CELSIUS
    cycle = fastsim.Cycle.from_resource(cycle_file).to_dict()
    cycle["temp_amb_air_kelvin"] = [kelvin] * len(cycle["time_seconds"])
    for lump in (plain["cabin"]["LumpedCabin"], plain["pt_type"]["BEV"]["res"]["thrml"]["RESLumpedThermal"]):
        lump["state"] |= {"temperature_kelvin": kelvin, "temp_prev_kelvin": kelvin}
    run = fastsim.SimDrive(fastsim.Vehicle.from_dict(plain), fastsim.Cycle.from_dict(cycle))
    run.run()
    driven = run.to_dict()["veh"]
    battery = driven["pt_type"]["BEV"]["res"]
    thermal = battery["thrml"]["RESLumpedThermal"]
    into_battery = ("pwr_thrml_loss_watts", "pwr_thrml_hvac_to_res_watts", "pwr_thrml_from_cabin_watts")
    watts = [sum(row) for row in zip(*(thermal["history"][name] for name in into_battery), strict=True)]
    return {
        "celsius": celsius,
        "speed": [
            sum(run_) / MINUTE * 3.6 for run_ in minutes(driven["history"]["speed_ach_meters_per_second"])
        ],
        "kwh": [sum(run_) / JOULES_PER_KWH for run_ in minutes(battery["history"]["pwr_out_chemical_watts"])],
        "heat": [sum(run_) / thermal["heat_capacitance_joules_per_kelvin"] for run_ in minutes(watts)],
    }


def minutes(seconds: list[float]) -> Iterator[list[float]]:
    """The whole minutes of a row of seconds."""
    for begin in range(0, len(seconds) - MINUTE + 1, MINUTE):
        yield seconds[begin : begin + MINUTE]


def habits(place: str, short: str) -> Json:
    """How vehicles plug in at one kind of place. Nobody works at weekends: those rows have no column for it."""
    return {
        "weekday": [float(row[place]) for row in rows("ev2gym", "distribution-of-arrival")],
        "weekend": [float(row.get(place) or 0) for row in rows("ev2gym", "distribution-of-arrival-weekend")],
        "hours": by_half_hour("mean-session-length-per", short),
        "kwh": by_half_hour("mean-demand-per-arrival", short),
    }


def by_half_hour(file: str, place: str) -> list[float]:
    """A mean for each half hour of arrival; where the file has none, the one before."""
    found = {row["Arrival Time"]: row.get(place) for row in rows("ev2gym", file)}
    means = list[float]()
    for half_hour in range(48):
        value = found.get(f"{half_hour // 2:02d}:{half_hour % 2 * 30:02d}")
        means.append(float(value) if value else (means[-1] if means else 0.0))
    return means


def of_year(package: str, file: str, column: str) -> list[Json]:
    """The rows of that year."""
    return [row for row in rows(package, file) if row[column].startswith(f"{YEAR}-")]


def rows(package: str, file: str) -> list[Json]:
    """The rows of a package's data file."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed here")
    with (Path(found.origin).parent / "data" / f"{file}.csv").open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


if __name__ == "__main__":
    main()
