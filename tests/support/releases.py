"""Builders for tests on a Helm release: its values, a garage of simulated vehicles, and what its history must show."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from parkade_api.wellknown import LABEL_SIMULATED, SYSTEM_NAMESPACE
from parkade_hack.controlplane import Kubectl
from parkade_hack.release import Release
from support.batches import Garage, pool
from support.controlplane import eventually

SIMULATED: Final = 2
VALUES: Final[dict[str, Any]] = {
    "operator": {"replicas": 2},
    "gateway": {"replicas": 2},
    "simulation": {"replicas": SIMULATED, "cpuShare": 0.3},
}


@contextlib.contextmanager
def release_garage(release: Release, namespace: str, bundle: Path) -> Iterator[Garage]:
    """A garage whose pool has every simulated vehicle, all of them free to work."""
    garage = Garage(release, namespace, bundle)
    everything = pool(garage.region, garage.region)
    everything["spec"]["selector"] = {"matchLabels": {LABEL_SIMULATED: "true"}}
    garage.kubectl.apply(everything)
    eventually(lambda: garage.pool_status("vehicles").get("eligible") == SIMULATED, 60, "all may work")
    yield garage
    garage.kubectl("delete", "vehiclepool", garage.region, "--ignore-not-found")


def holder(kubectl: Kubectl, lease: str) -> str:
    """The pod that holds a leader's Lease; empty when none does."""
    found = kubectl.look("leases", lease, namespace=SYSTEM_NAMESPACE) or {}
    return str(found.get("spec", {}).get("holderIdentity") or "")


def requests(audit_log: Path) -> list[dict[str, Any]]:
    """Every request that the API server noted, in order; a line that is being written is left out."""
    lines = audit_log.read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines]


def refused(history: list[dict[str, Any]]) -> set[tuple[str, ...]]:
    """Who was forbidden what, of the release's own ServiceAccounts: user, verb, resource, sentence."""
    own = f"system:serviceaccount:{SYSTEM_NAMESPACE}:"
    return {
        (
            event["user"]["username"].removeprefix(own),
            event["verb"],
            event.get("objectRef", {}).get("resource", event["requestURI"]),
            event.get("responseStatus", {}).get("message", ""),
        )
        for event in history
        if event["user"]["username"].startswith(own) and event.get("responseStatus", {}).get("code") == 403
    }


def programs_of(history: list[dict[str, Any]], user: str) -> set[str]:
    """The programs that asked as *user*, by the first word of their user agents."""
    asked = [event for event in history if event["user"]["username"] == user]
    return {event.get("userAgent", "").partition("/")[0] for event in asked}
