"""Everything that a batch needs is killed once at a random moment of it: the files equal those of a quiet run."""

import logging
import os
import random
import secrets
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from parkade_hack import proc
from parkade_hack.controlplane import ControlPlane, KubectlError
from support.batches import Garage, long_documents
from support.commit_log import assert_committed_once, commits
from support.controlplane import eventually, leaving_nothing
from support.crash_cluster import RevivingCluster

pytestmark = pytest.mark.long(75)

RECORDS = 320
RECORDS_PER_SHARD = 8
MOST_STORMS = 8
SHARDS = RECORDS // RECORDS_PER_SHARD
CONTROL_PLANE = ("kube-apiserver", "etcd")
CLUSTER = ("operator", "gateway")
VEHICLE = ("agent", "runner", "sidecar")
CONVERGED_SECONDS = 60.0
_log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def cluster(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RevivingCluster]:
    """A cluster of which every process is started again when it has ended."""
    with leaving_nothing(RevivingCluster(tmp_path_factory.mktemp("cluster"), control_plane)) as running:
        yield running


class Storm:
    """Batches over one input, and the kills during them."""

    def __init__(
        self, garage: Garage, cluster: RevivingCluster, control_plane: ControlPlane, dice: random.Random
    ) -> None:
        self._garage = garage
        self._cluster = cluster
        self._control_plane = control_plane
        self._dice = dice
        self._vehicles = garage.open(2, share=0.4)

    def run(self, name: str, victims: list[str]) -> tuple[bytes, bytes]:
        """One batch, during which those of *victims* are killed that it lasts for; returns its files."""
        sharding = {"recordsPerShard": RECORDS_PER_SHARD}
        self._garage.kubectl.apply(self._garage.batch(name, long_documents(RECORDS), sharding=sharding))
        uid = self._garage.uid(name)
        while self._await_commits(uid, self._dice.randint(1, 4)):
            if victims:
                time.sleep(self._dice.uniform(0, 1))
                if self._strike(victims[-1]):
                    victims.pop()
        self._until(lambda: self._garage.status(name).get("phase") == "Completed", f"{name} is complete")
        assert_committed_once(self._cluster.platform_store, uid, SHARDS)
        return self._garage.files(name)

    def _await_commits(self, uid: str, more: int) -> bool:
        """Returns when *more* shards are committed, which shows that the batch goes on; false when all are."""
        store = self._cluster.platform_store
        goal = min(len(commits(store, uid)) + more, SHARDS)
        self._until(lambda: len(commits(store, uid)) >= goal, f"{goal} shards of {uid} committed")
        return goal < SHARDS

    def _until(self, look: Callable[[], bool], what: str) -> None:
        def revive_and_look() -> bool:
            self._cluster.revive()
            try:
                return look()
            except KubectlError:  # the API server says no while etcd comes back
                return False

        eventually(revive_and_look, CONVERGED_SECONDS, what)

    def _strike(self, victim: str) -> bool:
        """Whether *victim* was there to be killed; a slot's programs come and go."""
        _log.warning("killing %s", victim)
        if victim in CONTROL_PLANE:
            self._control_plane.kill(victim)
            self._control_plane.start(victim)
        elif victim in CLUSTER:
            self._cluster.kill(victim)
        else:
            return self._strike_in_vehicle(victim)
        return True

    def _strike_in_vehicle(self, victim: str) -> bool:
        """Kills the agent of some vehicle, or the program of that name in the slot of one that runs it."""
        vehicles = self._dice.sample(self._vehicles, len(self._vehicles))
        pids = [self._cluster.pid(vehicle.name) for vehicle in vehicles]
        if victim != "agent":
            pids = [pid for agent in pids if (pid := proc.slot_program(agent, victim)) is not None]
        if not pids:
            return False
        try:
            os.kill(pids[0], signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


@pytest.mark.timeout(600)
def test_a_batch_survives_the_death_of_everything_it_needs(
    garage: Garage, cluster: RevivingCluster, control_plane: ControlPlane
) -> None:
    """SIGKILL of each process costs time only: the next shard is committed, the files are the same bytes."""
    seed = int(os.environ.get("PARKADE_SEED", secrets.randbelow(1_000_000)))
    _log.warning("PARKADE_SEED=%d repeats this order", seed)
    dice = random.Random(seed)  # noqa: S311 - no secret
    storm = Storm(garage, cluster, control_plane, dice)
    quiet = storm.run("quiet", [])
    victims = dice.sample([*CONTROL_PLANE, *CLUSTER, *VEHICLE], 7)
    for number in range(MOST_STORMS):
        assert storm.run(f"storm-{number}", victims) == quiet
        if not victims:
            break
    assert not victims, f"the batches were too short for {victims}"
    assert garage.prove("storm-0").returncode == 0
