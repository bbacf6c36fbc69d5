"""Waves of small batches during which processes are killed at chosen writes, and what must hold after each."""

import hashlib
import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from parkade_api.wellknown import CONFIG_MAP_CA, LABEL_POOL, SYSTEM_NAMESPACE
from parkade_hack.local import Vehicle, VehicleSpec
from support.batches import Garage, Object, documents, pool, request_line
from support.commit_log import assert_committed_once
from support.controlplane import eventually
from support.crash_cluster import CrashingCluster
from support.crashing import WORKER, Point

BATCHES = 2
LINES = [*documents(18), b"{broken\n", request_line("empty", "   ")]
RECORDS_PER_SHARD = 10
SHARDS = 2
WAVE_SECONDS = 240.0
LOOK_SECONDS = 0.5
CONVERGED_SECONDS = 60.0
LATER_KILL_SECONDS = 5.0


class Visitor:
    """A vehicle that comes during a wave, gets a pool, and leaves for good: its Node is born, labelled, deleted."""

    def __init__(self, cluster: CrashingCluster, region: str) -> None:
        self._cluster = cluster
        self._region = region
        self._vehicle: Vehicle = cluster.add_vehicle(VehicleSpec(region, claims={"region": region}))
        self._has_pool = False
        self.is_gone = False

    def step(self) -> None:
        """Brings its visit forward as far as it goes now."""
        if self.is_gone:
            return
        labels = self._labels()
        if not self._has_pool:
            if labels is not None:
                self._cluster.kubectl.apply(_visitors(self._region))
                self._has_pool = True
        elif labels is None:
            self.is_gone = True
        elif labels.get(LABEL_POOL) == self._region and self._cluster.is_running(self._vehicle.name):
            self._cluster.dismiss(self._vehicle.name)

    def _labels(self) -> dict[str, str] | None:
        """The labels of its Node; None when there is none."""
        node = self._cluster.kubectl.look("nodes", self._vehicle.name)
        return node["metadata"]["labels"] if node is not None else None


def _visitors(region: str) -> Object:
    """A pool that forgets a vehicle soon."""
    made = pool(region, region, telemetryStaleAfter="3s")
    made["spec"]["autonomy"] = {"duration": "3s"}
    return made


@dataclass
class Waves:
    """Batches over one input, a few at a time, each wave with a bundle of its own so that every write comes again."""

    garage: Garage
    cluster: CrashingCluster
    expected: tuple[bytes, bytes] | None = None
    kills: dict[Point, float] = field(default_factory=dict)  # point -> seconds until all was well again
    late: list[Point] = field(default_factory=list)  # points after which that took too long
    count: int = 0
    looks_at: float = 0.0

    def run(self, armed: Iterable[Point]) -> None:
        """One wave in which the *armed* points kill; returns when nothing of it is left to do.

        The first wave, with no kills, says which bytes are expected.
        """
        self.count += 1
        known = set(self.cluster.points.hits())
        self.cluster.revivals.clear()
        self.cluster.points.arm(armed)
        names = self._apply()
        self._hide_the_door()
        visitor = Visitor(self.cluster, f"{self.garage.region}-v{self.count}")
        eventually(lambda: self._is_over(names, visitor), WAVE_SECONDS, f"wave {self.count} is over")
        self.cluster.points.arm(())
        eventually(lambda: self._are_revived(known), CONVERGED_SECONDS, "those killed last are there again")
        self._measure(known)
        self._check_ends(known)
        self._check_results(names)
        self.garage.kubectl("delete", "vehiclepool", f"{self.garage.region}-v{self.count}")

    def _apply(self) -> list[str]:
        model = self._bundle()
        names = [f"w{self.count}-{number}" for number in range(BATCHES)]
        sharding = {"recordsPerShard": RECORDS_PER_SHARD}
        for name in names:
            batch = self.garage.batch(name, LINES, sharding=sharding, shardTimeout="5s", parallelism=1)
            batch["spec"]["model"] = model
            self.garage.kubectl.apply(batch)
        return names

    def _hide_the_door(self) -> None:
        """Takes the door's address out of the ConfigMap, where the leading gateway puts it back."""
        patch = json.dumps({"data": {"door": None}})
        self.garage.kubectl(
            "patch", "configmap", CONFIG_MAP_CA, "-n", SYSTEM_NAMESPACE, "--type=merge", "-p", patch
        )

    def _bundle(self) -> Object:
        """The bundle with another version in its manifest, which makes it another bundle."""
        name = f"model-{self.count}"
        return {"uri": f"file:///{name}", "digest": copy_bundle(self.garage, name)}

    def _is_over(self, names: list[str], visitor: Visitor) -> bool:
        self.cluster.revive()
        if time.monotonic() < self.looks_at:
            return False
        self.looks_at = time.monotonic() + LOOK_SECONDS
        visitor.step()
        statuses = [self.garage.status(name) for name in names]
        failed = [status for status in statuses if status.get("phase") == "Failed"]
        assert not failed, failed
        is_complete = all(status.get("phase") == "Completed" for status in statuses)
        pods = self.garage.kubectl.look("pods", namespace=self.garage.namespace)["items"]
        return is_complete and visitor.is_gone and not pods

    def _measure(self, known: set[Point]) -> None:
        """Notes how long each kill of this wave took to be over, the later ones with it."""
        now = time.time()
        hits = self.cluster.points.hits()
        kills = [(hit.at, point) for point, hit in hits.items() if point not in known]
        for later, (at, point) in enumerate(sorted(kills, reverse=True)):
            self.kills[point] = now - at
            if now - at > CONVERGED_SECONDS + later * LATER_KILL_SECONDS:
                self.late.append(point)

    def _are_revived(self, known: set[Point]) -> bool:
        self.cluster.revive()
        return sorted(self._revived()) == sorted(self._killed(known))

    def _check_ends(self, known: set[Point]) -> None:
        """No process has ended but those that were killed."""
        assert sorted(self._revived()) == sorted(self._killed(known)), self.cluster.points.hits()

    def _revived(self) -> list[str]:
        return [name for name in self.cluster.revivals if name not in self.cluster.left]

    def _killed(self, known: set[Point]) -> list[str]:
        """The programs that have died in this wave: once each process, however many points met in its end."""
        hits = {point: hit for point, hit in self.cluster.points.hits().items() if point not in known}
        victims = {(hit.program, hit.pid) for point, hit in hits.items() if point.process != WORKER}
        return [program for program, _ in victims if program not in self.cluster.left]

    def _check_results(self, names: list[str]) -> None:
        for name in names:
            files = self.garage.files(name)
            self.expected = self.expected or files
            assert files == self.expected, f"{name} has other bytes than the quiet wave"
            assert_committed_once(self.cluster.platform_store, self.garage.uid(name), SHARDS)


def copy_bundle(garage: Garage, name: str) -> str:
    """Copies the namespace's bundle to the folder *name* under another version; returns its digest."""
    source, target = garage.folder / "model", garage.folder / name
    target.mkdir()
    manifest = json.loads((source / "bundle.json").read_bytes()) | {"version": name}
    for entry in manifest["files"]:
        os.link(source / entry["name"], target / entry["name"])
    data = json.dumps(manifest).encode()
    (target / "bundle.json").write_bytes(data)
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
