"""A real Prometheus scrapes the pods of a real release while a batch runs and a driver comes back."""

import math
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from parkade_api.wellknown import GATEWAY, OPERATOR
from parkade_hack.controlplane import ControlPlane, Kubectl
from parkade_hack.dashboard.questions import PROMISED_RECLAIM_SECONDS, ROWS, Panel
from parkade_hack.dashboard.watch import ALERTS, Line, lines, watching
from parkade_hack.local import AWAY, PARKED, VehicleSpec
from parkade_hack.metricsdoc import entries, modules
from parkade_hack.prometheus import Prometheus
from parkade_hack.release import Fleet, Release
from parkade_hack.tools import ensure_tools
from parkade_hack.tools.catalogue import PROMETHEUS
from parkade_models.bundle import Bundle
from support.batches import Garage, long_documents, pool
from support.controlplane import eventually

pytestmark = [
    pytest.mark.long(90),
    pytest.mark.controlplane,
    pytest.mark.prometheus,
    pytest.mark.timeout(600),
]

PANELS: Final = {panel.title: panel for row in ROWS for panel in row.panels}
SIMULATED: Final = 1
# After one scrape that was missed the next ones are there.
SECONDS: Final = 20.0
NAMESPACE: Final = "default"
# What has no series before its first event, and what no scenario of health can show.
ONLY_AFTER_AN_EVENT: Final = {"parkade_calls_refused_total", "parkade_sessions_ended_total"}


@dataclass(frozen=True, slots=True)
class Watched:
    """What Prometheus saw, and for how many seconds."""

    prometheus: Prometheus
    seconds: float

    def lines(self, panel: Panel) -> list[Line]:
        """What a panel shows of it."""
        return lines(self.prometheus, panel, self.seconds)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, int8_bundle: Bundle) -> Iterator[Watched]:
    """A release on a control plane of its own, with a batch that has ended and a vehicle that was reclaimed."""
    folder = tmp_path_factory.mktemp("metrics")
    with (
        ControlPlane(folder / "control-plane", ensure_tools()) as control_plane,
        Release(folder / "release", control_plane) as release,
        Fleet(folder / "fleet", release) as fleet,
    ):
        release.install({"simulation": {"replicas": SIMULATED, "cpuShare": 0.3}})
        with watching(folder / "prometheus", control_plane) as prometheus:
            begun = time.monotonic()
            eventually(lambda: _up(prometheus) == SIMULATED + 2, 60, "every pod is scraped")
            _play(release, fleet, int8_bundle.folder)
            eventually(lambda: _has_seen_the_end(prometheus), 30, "the end was scraped")
            yield Watched(prometheus, time.monotonic() - begun)
        # Its control plane goes, too: nobody has to be told good-bye.
        release.node.kill()


def _play(release: Release, fleet: Fleet, bundle: Path) -> None:
    """A batch on three vehicles; the driver of one comes back in the middle of it and goes again."""
    fleet.add(VehicleSpec("ada", cpu_share=0.3))
    garage = Garage(release, NAMESPACE, bundle)
    hardware = {"matchLabels": {"parkade.dev/hardware": "hw4"}}
    everything = pool(garage.region, garage.region)
    everything["spec"]["selector"] = hardware
    garage.kubectl.apply(everything)
    eventually(lambda: garage.pool_status("vehicles").get("eligible") == SIMULATED + 1, 60, "all eligible")
    garage.kubectl.apply(garage.batch("watched", long_documents(160)))
    garage.wait_for_commits("watched", 2)
    ada = fleet.vehicles["vehicle-ada"]
    eventually(lambda: _works(release.kubectl, "vehicle-ada"), 60, "ada works")
    ada.say(AWAY)
    eventually(lambda: not _works(release.kubectl, "vehicle-ada"), 30, "ada's slot is gone")
    ada.say(PARKED)
    garage.wait_for("watched", "Completed", 180)


def _works(kubectl: Kubectl, node: str) -> bool:
    """Whether a slot's programs run on *node*."""
    pods = kubectl.look("pods", namespace=NAMESPACE)["items"]
    return any(
        pod["spec"].get("nodeName") == node and pod["status"].get("phase") == "Running" for pod in pods
    )


def _up(prometheus: Prometheus) -> int:
    return list(prometheus.targets().values()).count("up")


def _has_seen_the_end(prometheus: Prometheus) -> bool:
    ended = prometheus.query('parkade_inferencebatches{phase="Completed"} == 1')
    # The panels ask for an increase: it takes the scrape of the count and one before it.
    return bool(ended and prometheus.query("sum(increase(parkade_reclaim_seconds_count[1h])) > 0"))


def _numbers(line: Line) -> list[float]:
    return [value for _, value in line.points if not math.isnan(value)]


def _last(line: Line) -> float:
    """The newest number of a line; NaN when it has none."""
    return next(reversed(_numbers(line)), math.nan)


def _has_numbers(shown: Sequence[Line]) -> bool:
    return any(_numbers(line) for line in shown)


def _moves(shown: Sequence[Line]) -> bool:
    return any(len(set(_numbers(line))) > 1 for line in shown)


def _both_lead(shown: Sequence[Line]) -> bool:
    return {line.name: _last(line) for line in shown} == {OPERATOR: 1.0, GATEWAY: 1.0}


def _every_queue_is_worked_off(shown: Sequence[Line]) -> bool:
    queues = {line.name: _last(line) for line in shown}
    return {"nodes", "pods", "inferencebatches", "vehiclepools"} <= set(queues) and not any(queues.values())


def _all_as_promised(shown: Sequence[Line]) -> bool:
    return [_last(line) for line in shown] == [1.0]


def _is_short(shown: Sequence[Line]) -> bool:
    return len(shown) == 2 and all(0 < _last(line) <= PROMISED_RECLAIM_SECONDS for line in shown)


def _has_room(shown: Sequence[Line]) -> bool:
    return len(shown) == 1 and 0 < _last(shown[0]) < 1


EXPECTED: Final[dict[str, Callable[[Sequence[Line]], bool]]] = {
    "Leaders": _both_lead,
    "Platform store in use": _has_room,
    "Keys that wait to be reconciled": _every_queue_is_worked_off,
    "Reclaims as promised": _all_as_promised,
    "Time until a vehicle is its owner's again": _is_short,
}


@pytest.mark.parametrize("title", PANELS)
def test_each_panel_shows_what_happened(watched: Watched, title: str) -> None:
    """Every query of every panel has a series, and it moves with the batch or stands where it must."""
    panel = PANELS[title]
    for query in panel.queries:
        only = Panel(panel.title, panel.text, panel.unit, (query,))
        eventually(lambda only=only: _has_numbers(watched.lines(only)), SECONDS, f"numbers of {query.expr}")  # type: ignore[misc]
    is_expected = EXPECTED.get(title, _moves)
    eventually(lambda: is_expected(watched.lines(panel)), SECONDS, f"{title}, not {watched.lines(panel)}")


def test_prometheus_finds_every_pod(watched: Watched) -> None:
    """Operator, gateway and simulated vehicles are found by their port's name, and all are up."""
    pods = {"operator": 1, "gateway": 1, "simulation": SIMULATED}

    def up() -> dict[str, float]:
        found = watched.prometheus.query("sum by (component) (up)")
        return {series.labels["component"]: series.last for series in found}

    eventually(lambda: up() == pods, SECONDS, f"{pods} are up")


def test_every_documented_metric_is_there(watched: Watched) -> None:
    """docs/metrics.md promises nothing that no process shows."""
    promised = {
        f"{entry.name}_count" if entry.kind == "histogram" else entry.name
        for module in modules()
        for entry in entries(module)
    }

    def missing() -> set[str]:
        found = watched.prometheus.query('{__name__=~"parkade_.+"}')
        return promised - {series.labels["__name__"] for series in found}

    eventually(lambda: missing() <= ONLY_AFTER_AN_EVENT, SECONDS, f"no metric is missing, not {missing()}")


def test_no_series_is_of_one_vehicle_or_batch(watched: Watched) -> None:
    """The number of series does not grow with the fleet: no label's value names a vehicle, a slot or a batch."""
    series = watched.prometheus.query('{__name__=~"parkade_.+"}')
    values = {
        value
        for found in series
        for label, value in found.labels.items()
        if label not in {"class", "instance", "pod"}
    }
    assert values
    assert not [value for value in values if re.search(r"\b(ada|sim-|watched)\b|[0-9a-f]{8}-", value)]


def test_alerts_are_evaluated_and_silent(watched: Watched) -> None:
    """In a healthy release every alert finds its series, and none is pending or firing."""
    rules = watched.prometheus.rules()
    assert {rule["name"] for rule in rules} == {
        "ParkadeNoLeader",
        "ParkadeBatchesStalled",
        "ParkadeReclaimSlow",
        "ParkadeStoreFilling",
    }

    def loud() -> list[str]:
        # How full the disk is that the tests run on says nothing of the release.
        found = [rule for rule in watched.prometheus.rules() if rule["name"] != "ParkadeStoreFilling"]
        return [rule["name"] for rule in found if (rule["health"], rule["state"]) != ("ok", "inactive")]

    eventually(lambda: not loud(), SECONDS, f"all healthy and inactive, but {loud()}")
    for name in {name for rule in rules for name in re.findall(r"parkade_[a-z_]+", rule["query"])}:
        eventually(lambda name=name: watched.prometheus.query(name), SECONDS, name)  # type: ignore[misc]


def test_alerts_fire_when_they_should(tmp_path: Path, root: Path) -> None:
    """Each alert fires on its own trouble after its time, and on nothing that only looks like it."""
    promtool = ensure_tools(PROMETHEUS).path("promtool")
    for source in (ALERTS, root / "tests/support/alerts_test.yaml"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    for command in (["check", "rules", "--lint-fatal", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run(
            [promtool, *command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
