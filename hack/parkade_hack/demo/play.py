"""What the scenes on the cluster share: the release, the vehicles, the batch's material, and the live view."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from parkade_cli.cluster import ApiServer
from parkade_cli.snapshot import BatchRow, Snapshot, VehicleRow
from parkade_cli.watch import LOOK_SECONDS, LiveView
from parkade_hack import proc
from parkade_hack.controlplane import Kubectl
from parkade_hack.demo.model import Material
from parkade_hack.demo.stage import DemoError, Stage
from parkade_hack.release import Fleet, Release

NAMESPACE = "default"
BATCH = "stdlib-docs"
WORK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Play:
    """Everything that a scene needs."""

    stage: Stage
    release: Release
    fleet: Fleet
    api: ApiServer
    material: Material

    @property
    def kubectl(self) -> Kubectl:
        """An administrator's kubectl."""
        return self.release.kubectl

    def until(self, is_so: Callable[[Snapshot], bool], seconds: float, what: str) -> Snapshot:
        """Shows the live view until *is_so*. Raises DemoError after *seconds*, or if the batch fails."""
        deadline = time.monotonic() + seconds
        with LiveView(self.stage.console) as view:
            while True:
                snapshot = self.api.snapshot()
                view.show(snapshot)
                if is_so(snapshot):
                    return snapshot
                _check_batch(snapshot)
                if time.monotonic() > deadline:
                    raise DemoError(f"not within {seconds:.0f} s: {what}")
                time.sleep(LOOK_SECONDS)

    def working_vehicle(self, *apart_from: str) -> str:
        """An enrolled vehicle that works, once there is one. Raises DemoError."""
        enrolled = set(self.fleet.vehicles).difference(apart_from)
        seen = self.until(lambda seen: bool(enrolled & set(working(seen))), WORK_SECONDS, "a vehicle works")
        return min(enrolled & set(working(seen)))

    def sidecar_of(self, vehicle: str) -> int | None:
        """The pid of the sidecar that runs in *vehicle* now."""
        return proc.slot_program(self.fleet.pid(vehicle), "sidecar")


def vehicle_row(snapshot: Snapshot, name: str) -> VehicleRow | None:
    """The row of the vehicle whose Node is called *name*."""
    return next((row for row in snapshot.vehicles if row.name == name), None)


def batch_row(snapshot: Snapshot) -> BatchRow | None:
    """The row of the demo's batch."""
    return next((row for row in snapshot.batches if row.name == BATCH), None)


def working(snapshot: Snapshot) -> list[str]:
    """The names of the vehicles that work."""
    return [row.name for row in snapshot.vehicles if row.state == "Working"]


def is_closed(snapshot: Snapshot, name: str) -> bool:
    """Whether Kubernetes gives the vehicle no new work."""
    row = vehicle_row(snapshot, name)
    return row is not None and bool(row.taints)


def shards_done(snapshot: Snapshot) -> int:
    """Shards of the batch that are committed."""
    row = batch_row(snapshot)
    return row.shards_done if row else 0


def _check_batch(snapshot: Snapshot) -> None:
    row = batch_row(snapshot)
    if row and row.phase == "Failed":
        raise DemoError(f"the batch failed: {row.message}")
