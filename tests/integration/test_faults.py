"""What happens to vehicles, on the real control plane: a driver gets in, a link flaps, the power goes."""

import contextlib
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from parkade_api.wellknown import Taint
from parkade_hack.local import AWAY, PARKED, LocalCluster, Vehicle
from support.batches import Garage, long_documents
from support.cable import flapping
from support.commit_log import assert_committed_once, commits
from support.controlplane import POLL_SECONDS, eventually
from support.reassignments import attempted, counter_of, in_hand, reopenings

pytestmark = pytest.mark.long(150)

SECONDS = 30.0
"""Far more than any of these things takes: what is held here is that they happen. How fast is in the log (-rA)."""
LINK_SECONDS = 5.0
MOST_TAINT_CHANGES = 2
_log = logging.getLogger(__name__)


def test_a_driver_who_returns_gets_the_vehicle_and_the_batch_goes_on(
    garage: Garage, cluster: LocalCluster
) -> None:
    """F1: the slot ends in the vehicle, its Node closes, its shards go to whoever asks next; each is committed once."""
    first, second = garage.open(2, share=0.3)
    garage.kubectl.apply(garage.batch("docs", long_documents(500)))
    garage.wait_for_commits("docs", 2)
    uid, log = garage.uid("docs"), cluster.log("gateway")
    eventually(lambda: set(attempted(first, uid)) - committed(cluster, uid), SECONDS, "shards in hand")

    def returned() -> set[int]:
        told = (each for each in reopenings(log, uid) if each.vehicle == first.spec.vehicle_id)
        return {shard for each in told for shard in each.shards}

    first.say(AWAY)
    seconds = moments(
        {
            "the slot's programs are gone": lambda: not garage.children(first),
            "the Node is tainted": lambda: Taint.DRIVING in taints(garage, first),
            "the shards are open again": returned,
            "another vehicle has one of them": lambda: returned() & set(attempted(second, uid)),
            "the reason is told": lambda: garage.pool_status("ineligibleReasons").get("Driving") == 1,
            "how fast it was is told": lambda: garage.pool_status("reclaim").get("p99"),
        }
    )
    _log.warning("a driver returns: %s", seconds)
    assert garage.children(second)
    first.say(PARKED)
    garage.wait_for("docs", "Completed")
    assert_committed_once(cluster.platform_store, uid, 50)
    assert garage.prove("docs").returncode == 0
    eventually(lambda: garage.pool_status("vehicles").get("eligible") == 2, 90, "it may work again")


def test_a_link_that_flaps_costs_little(garage: Garage, cluster: LocalCluster) -> None:
    """F5: five seconds up and five down; its Node hardly changes, no shard has a third try, each is committed once."""
    first, second = garage.open(2, share=0.3)
    with flapping(cluster._reached_at.door, LINK_SECONDS) as port:
        dial(cluster, first, port)
        garage.kubectl.apply(garage.batch("docs", long_documents(300), shardTimeout="20s"))
        uid, seen = garage.uid("docs"), [taints(garage, first)]

        def is_complete() -> bool:
            if (now := taints(garage, first)) != seen[-1]:
                seen.append(now)
            return garage.status("docs").get("phase") == "Completed"

        began = time.monotonic()
        eventually(is_complete, 150, "the batch is complete")
        minutes = (time.monotonic() - began) / 60
    tries = Counter([*attempted(first, uid), *attempted(second, uid)])
    _log.warning("a link flaps for %.1f min: taints %s, tries %s", minutes, seen, Counter(tries.values()))
    assert len(seen) - 1 <= MOST_TAINT_CHANGES * max(1.0, minutes)
    assert max(tries.values()) <= 2
    assert first.spec.vehicle_id in {commit.vehicle for commit in commits(cluster.platform_store, uid)}
    assert_committed_once(cluster.platform_store, uid, 30)
    assert garage.prove("docs").returncode == 0


def test_a_vehicle_that_dies_loses_no_shard(garage: Garage, cluster: LocalCluster) -> None:
    """F9: after SIGKILL of all its processes none lives on, others have its shards; it comes back and counts on."""
    first, second = garage.open(2, share=0.3)
    garage.kubectl.apply(garage.batch("docs", long_documents(400)))
    garage.wait_for_commits("docs", 2)
    uid = garage.uid("docs")
    eventually(lambda: set(attempted(first, uid)) - committed(cluster, uid), SECONDS, "shards in hand")
    counter, children = counter_of(first), garage.children(first)
    for pid in (cluster.pid(first.name), *children):
        with contextlib.suppress(ProcessLookupError):  # the first one takes the others along
            os.kill(pid, signal.SIGKILL)
    cluster.kill(first.name)
    eventually(lambda: not garage.alive(children), SECONDS, "its children are dead")
    lost = in_hand(first)
    assert lost
    eventually(lambda: lost <= set(attempted(second, uid)) | committed(cluster, uid), 60, "leased again")
    cluster.start(first.name)
    garage.wait_for("docs", "Completed")
    assert_committed_once(cluster.platform_store, uid, 40)
    assert garage.prove("docs").returncode == 0
    # The first batch may have ended before the vehicle was back.
    eventually(lambda: garage.pool_status("vehicles").get("eligible") == 2, SECONDS, "it may work again")
    garage.kubectl.apply(garage.batch("more", long_documents(100)))
    eventually(lambda: counter_of(first) > counter, 60, "a slot is assigned with a higher counter")


def moments(happenings: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """After how many seconds each of these was first seen; fails when one was not within SECONDS."""
    began, seen = time.monotonic(), dict[str, float]()
    while missing := [name for name in happenings if name not in seen]:
        seen |= {name: round(time.monotonic() - began, 2) for name in missing if happenings[name]()}
        assert time.monotonic() - began < SECONDS, f"not within {SECONDS:g} s: {missing}; seen: {seen}"
        time.sleep(POLL_SECONDS)
    return seen


def taints(garage: Garage, vehicle: Vehicle) -> frozenset[str]:
    """The keys of the taints on the vehicle's Node."""
    node = garage.kubectl.look("nodes", vehicle.name) or {}
    return frozenset(taint["key"] for taint in node.get("spec", {}).get("taints", []))


def committed(cluster: LocalCluster, uid: str) -> set[int]:
    """The shards in the batch's log."""
    return {commit.shard for commit in commits(cluster.platform_store, uid)}


def dial(cluster: LocalCluster, vehicle: Vehicle, port: int) -> None:
    """Starts the vehicle's agent anew, with the gateway at *port*."""
    program = cluster._programs[vehicle.name]
    address = {"PARKADE_DOOR_ADDRESS": f"localhost:{port}"}
    cluster.stop(vehicle.name)
    cluster._programs[vehicle.name] = replace(program, environment={**program.environment, **address})
    cluster.start(vehicle.name)
