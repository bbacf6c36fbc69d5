"""Builders for the integration tests: pools, batches, inputs, and a place on the local cluster to run them."""

import hashlib
import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parkade_api.wellknown import API_VERSION
from parkade_hack import proc
from parkade_hack.controlplane import Kubectl
from parkade_hack.local import LocalCluster, Vehicle, VehicleSpec
from support.controlplane import eventually

ROOT = Path(__file__).resolve().parents[2]
Object = dict[str, Any]
_SENTENCE = "A parked vehicle computes. "


def pool(name: str, region: str, **eligibility: object) -> Object:
    """A pool of the vehicles of one region, with no wait before work."""
    rules = {"parkedFor": "0s", "minStateOfCharge": 60, "resumeStateOfCharge": 65, "cooldown": "0s"}
    spec = {
        "selector": {"matchLabels": {"parkade.dev/region": region}},
        "eligibility": rules | eligibility,
        "disruption": {"driverReturn": {"gracePeriod": "1s"}},
    }
    return {"apiVersion": API_VERSION, "kind": "VehiclePool", "metadata": {"name": name}, "spec": spec}


def request_line(custom_id: str, text: object) -> bytes:
    """One line of an OpenAI batch input."""
    body = {"model": "minilm", "input": text}
    line = {"custom_id": custom_id, "method": "POST", "url": "/v1/embeddings", "body": body}
    return json.dumps(line).encode() + b"\n"


def documents(count: int) -> list[bytes]:
    """*count* different records of a few words to a few sentences."""
    return [request_line(f"doc-{n:04d}", f"Document {n}: " + _SENTENCE * (n % 9 + 1)) for n in range(count)]


def long_documents(count: int) -> list[bytes]:
    """*count* different records that fill the model's window, so that a batch of them can be caught in the act."""
    return [request_line(f"doc-{n:04d}", f"Document {n}: " + _SENTENCE * 40) for n in range(count)]


@dataclass
class Garage:
    """A namespace, a pool of its own and the vehicles in it, on a local cluster."""

    cluster: LocalCluster
    namespace: str
    bundle: Path
    region: str = field(default_factory=lambda: f"r{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        self.folder = self.cluster.namespace_folder(self.namespace)
        shutil.copytree(self.bundle, self.folder / "model")

    @property
    def kubectl(self) -> Kubectl:
        """An administrator's kubectl."""
        return self.cluster.kubectl

    def open(
        self, vehicles: int = 1, *, share: float = 1.0, publishers: Path | None = None, **eligibility: object
    ) -> list[Vehicle]:
        """Creates the pool and its vehicles; returns when all may work."""
        self.kubectl.apply(pool(self.region, self.region, **eligibility))
        claims = {"region": self.region, "hardware": "hw4"}
        found = [
            self.cluster.add_vehicle(
                VehicleSpec(f"{self.region}-{n}", claims=claims, cpu_share=share, publishers=publishers)
            )
            for n in range(vehicles)
        ]
        eventually(
            lambda: self.pool_status("vehicles").get("eligible") == vehicles, 60, "all vehicles eligible"
        )
        return found

    def close(self) -> None:
        """Stops the vehicles and removes the pool. A process of the cluster that died unasked shows its last words."""
        for name in [name for name in self.cluster.vehicles if self.region in name]:
            if self.cluster.is_running(name):
                self.cluster.stop(name)
        self.kubectl("delete", "vehiclepool", self.region, "--ignore-not-found")
        for name in ("operator", "gateway"):
            self.cluster.pid(name)

    def pool_status(self, part: str) -> Any:
        """One part of the pool's status."""
        found = self.kubectl.look("vehiclepools", self.region)
        assert found is not None, f"there is no pool {self.region}"
        return found.get("status", {}).get(part) or {}

    def children(self, vehicle: Vehicle) -> set[int]:
        """Pids of the processes below the vehicle's agent that still live."""
        return self.alive(set(proc.descendants(self.cluster.pid(vehicle.name))))

    def alive(self, pids: set[int]) -> set[int]:
        """Those of *pids* that still live."""
        return set(filter(proc.is_alive, pids))

    def batch(self, name: str, lines: Iterable[bytes], **spec: object) -> Object:
        """A batch over *lines*, which are written as its input; *spec* replaces parts of it."""
        (self.folder / f"{name}.jsonl").write_bytes(b"".join(lines))
        digest = hashlib.sha256((self.folder / "model" / "bundle.json").read_bytes()).hexdigest()
        base: Object = {
            "poolRefs": [self.region],
            "model": {"uri": "file:///model", "digest": f"sha256:{digest}"},
            "input": {"uri": f"file:///{name}.jsonl"},
            "output": {"uri": f"file:///{name}"},
            "sharding": {"recordsPerShard": 10},
            "shardTimeout": "10s",
        }
        meta = {"name": name, "namespace": self.namespace}
        return {"apiVersion": API_VERSION, "kind": "InferenceBatch", "metadata": meta, "spec": base | spec}

    def status(self, name: str) -> Object:
        """The status of a batch; empty before the first."""
        found: Object = self._batch(name).get("status") or {}
        return found

    def _batch(self, name: str) -> Object:
        found: Object | None = self.kubectl.look("inferencebatches", name, namespace=self.namespace)
        assert found is not None, f"there is no batch {name} in {self.namespace}"
        return found

    def uid(self, name: str) -> str:
        """The uid of a batch."""
        return str(self._batch(name)["metadata"]["uid"])

    def wait_for(self, name: str, phase: str, seconds: float = 200) -> Object:
        """The status of a batch once it is in *phase*; a batch that failed unasked is shown at once."""

        def look() -> Object | None:
            status = self.status(name)
            ended_otherwise = status.get("phase") in {"Completed", "Failed"} - {phase}
            assert not ended_otherwise, status
            return status if status.get("phase") == phase else None

        return eventually(look, seconds, f"{name} is {phase}") or {}

    def wait_for_commits(self, name: str, shards: int, seconds: float = 150) -> None:
        """Returns when at least *shards* shards of a batch are committed."""

        def look() -> bool:
            return bool(self.status(name).get("shards", {}).get("succeeded", 0) >= shards)

        eventually(look, seconds, f"{shards} shards of {name} committed")

    def slots(self, name: str) -> list[Object]:
        """The pods of a batch."""
        labels = f"parkade.dev/batch={name}"
        found: list[Object] = self.kubectl.look("pods", namespace=self.namespace, labels=labels)["items"]
        return found

    def files(self, name: str) -> tuple[bytes, bytes]:
        """output.jsonl and errors.jsonl of a batch."""
        folder = self.folder / name
        return (folder / "output.jsonl").read_bytes(), (folder / "errors.jsonl").read_bytes()

    def prove(self, name: str) -> subprocess.CompletedProcess[str]:
        """Runs the independent proof over a batch's files."""
        results = self.folder / name
        files = (
            self.folder / f"{name}.jsonl",
            self.bundle,
            results / "output.jsonl",
            results / "errors.jsonl",
        )
        command = [sys.executable, "examples/proof.py", *map(str, files)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
