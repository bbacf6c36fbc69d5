"""Every write of a batch's life, killed before it and after it: the same bytes come out, each shard committed once."""

import logging
import os
import random
import re
import secrets
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from parkade_hack.controlplane import ControlPlane
from support.batches import Garage
from support.controlplane import leaving_nothing
from support.crash_cluster import CrashingCluster
from support.crash_waves import Waves
from support.crashing import GATEWAY_OF_WORKER, WORKER, Point

pytestmark = pytest.mark.long(310)

SIDES = ("before", "after")
MOST_WAVES = 12
# So few at a time that each kill can be seen to be over within its limit.
KILLS_OF_A_WAVE = {"gateway": 7, "gateway of worker": 4, "worker": 4, "operator": 3, "agent": 4}
# Which a restart may cause or not: a vehicle that is back before its old session has ended is told in an Event.
BY_CHANCE = {("gateway", "POST events")}
_ROW = re.compile(r"^\| (operator|gateway|worker|agent) \| `([^`]+)` \|", re.MULTILINE)
_log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def cluster(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CrashingCluster]:
    """A cluster whose processes die at armed points."""
    with leaving_nothing(CrashingCluster(tmp_path_factory.mktemp("cluster"), control_plane)) as running:
        yield running


@pytest.mark.timeout(1200)
def test_every_write_survives_a_kill_before_and_after_it(
    garage: Garage, cluster: CrashingCluster, root: Path
) -> None:
    """Operator, gateway, its workers and agents are killed at 100 % of their writes; all is well within 60 s."""
    seed = int(os.environ.get("PARKADE_SEED", secrets.randbelow(1_000_000)))
    _log.warning("PARKADE_SEED=%d repeats this order", seed)
    dice = random.Random(seed)  # noqa: S311 - no secret
    garage.open(2)
    waves = Waves(garage, cluster)
    waves.run(())
    assert seen(waves) == documented(root), "docs/crashes.md has a row for each write that there is"
    while (left := _left(waves)) and waves.count < MOST_WAVES:
        dice.shuffle(left)
        waves.run(_some(left))
    for point, seconds in waves.kills.items():
        _log.info("%s: %.0f s", point.line(), seconds)
    assert not left
    assert not waves.late
    assert seen(waves) == documented(root)


def seen(waves: Waves) -> set[tuple[str, str]]:
    """Process and kind of every write that comes in each wave."""
    return waves.cluster.points.seen() - BY_CHANCE


def documented(root: Path) -> set[tuple[str, str]]:
    """Process and kind of every row in docs/crashes.md; what a worker writes, its gateway can die of as well."""
    rows = {(process, kind) for process, kind in _ROW.findall((root / "docs" / "crashes.md").read_text())}
    return rows | {(GATEWAY_OF_WORKER, kind) for process, kind in rows if process == WORKER}


def _left(waves: Waves) -> list[Point]:
    points = [Point(process, kind, side) for (process, kind), side in product(sorted(seen(waves)), SIDES)]
    return [point for point in points if point not in waves.kills]


def _some(points: list[Point]) -> list[Point]:
    chosen: list[Point] = []
    for process, most in KILLS_OF_A_WAVE.items():
        chosen += [point for point in points if point.process == process][:most]
    return chosen
