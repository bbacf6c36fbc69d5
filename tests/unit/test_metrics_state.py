"""What is read from the state of gateway, operator and agent at a scrape."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from parkade_agent.metrics import count_shard, read_lent, read_vehicle
from parkade_api import vss
from parkade_api.figures import Reading
from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_api.proto.vehicle.v1.vehicle_pb2 import ShardOutcome
from parkade_api.wellknown import Reason
from parkade_core.batch.commit import ShardCommit
from parkade_core.batch.log_writer import Put
from parkade_core.vehicle.facts import OwnFacts
from parkade_core.vehicle.guard import Action, GuardState, initial
from parkade_core.vehicle.readings import Reading as Signal
from parkade_core.vehicle.throttle import Lanes
from parkade_operator.controllers.metrics import PHASES, read_state
from parkade_operator.door.metrics import count_enrolment
from parkade_operator.gateway.metrics import read_snapshot
from parkade_operator.shards.metrics import count_durable, count_returned


def by_name(readings: Iterable[Reading]) -> dict[tuple[str, ...], float]:
    """(name, *labels) -> value."""
    return {(figure.name, *labels): value for figure, labels, value in readings}


def sample(name: str, **labels: str) -> float:
    """The value of a series of this process."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def running(**counts: int) -> pb.BatchProgress:
    """A batch that runs."""
    return pb.BatchProgress(state=pb.RUNNING, **counts)  # type: ignore[arg-type] # all of them are counts


def test_batches_are_added_up() -> None:
    """Slots and work are of all running batches; a finished one leaves nothing to do."""
    batches = [
        running(
            records_total=100,
            records_succeeded=30,
            records_failed=5,
            shards_total=10,
            shards_committed=3,
            shards_leased=4,
            slots_running=3,
            slots_idle=1,
        ),
        running(records_total=10, shards_total=1, shards_leased=2, slots_silent=2, slots_starting=1),
        pb.BatchProgress(state=pb.COMPLETE, records_total=50, records_succeeded=49, shards_total=5),
    ]
    seen = by_name(read_snapshot(pb.Snapshot(batches=batches), strays=0, sessions=7))
    assert seen["parkade_batches", "Running"] == 2
    assert seen["parkade_batches", "Complete"] == 1
    assert seen["parkade_batches", "Failed"] == 0
    assert seen["parkade_records_left",] == 65 + 10
    assert seen["parkade_shards_leased",] == 6
    assert seen["parkade_shards_open",] == 2
    assert [seen["parkade_slots", state] for state in ("starting", "working", "idle", "silent")] == [
        1,
        2,
        1,
        2,
    ]
    assert seen["parkade_sessions",] == 7


def test_vehicles_are_counted_by_pool_and_first_reason() -> None:
    """Every reason has a series, also at 0; a vehicle that is in no pool is counted without a pool."""
    night = pb.PoolCounts(
        name="night", total=5, online=4, eligible=2, busy=1, ineligible_reasons={"Driving": 2, "Silent": 1}
    )
    seen = by_name(read_snapshot(pb.Snapshot(pools=[night]), strays=3, sessions=0))
    assert seen["parkade_vehicles", ""] == 3
    assert seen["parkade_vehicles", "night"] == 5
    assert seen["parkade_vehicles_online", "night"] == 4
    assert seen["parkade_vehicles_eligible", "night"] == 2
    assert seen["parkade_vehicles_busy", "night"] == 1
    reasons = {key[2]: value for key, value in seen.items() if key[0] == "parkade_vehicles_ineligible"}
    assert reasons == dict.fromkeys(map(str, Reason), 0) | {"Driving": 2, "Silent": 1}


def test_the_operator_shows_every_phase() -> None:
    """A phase that no batch is in is 0; a batch without a status is in none."""
    seen = by_name(read_state(["InProgress", "InProgress", "Failed", ""], is_connected=True))
    counts = {phase: seen["parkade_inferencebatches", phase] for phase in PHASES}
    assert counts == dict.fromkeys(PHASES, 0) | {"InProgress": 2, "Failed": 1}
    assert seen["parkade_gateway_connected",] == 1


def test_the_agent_shows_its_guard_and_its_bus() -> None:
    """Exactly one action is 1; a vehicle whose bus says nothing of its charge shows none."""
    state = GuardState(Action.FREEZE, (Reason.DRIVING, Reason.NOT_CHARGING), "", 0.0, None)
    seen = by_name(read_vehicle(state, {vss.STATE_OF_CHARGE: Signal(81.5, 0.1)}, 12.5, is_connected=False))
    actions = {key[1] for key, value in seen.items() if key[0] == "parkade_agent_guard_action" and value}
    reasons = {key[1] for key, value in seen.items() if key[0] == "parkade_agent_guard_reason" and value}
    assert (actions, reasons) == ({"Freeze"}, {"Driving", "NotCharging"})
    assert seen["parkade_agent_state_of_charge_percent",] == 81.5
    assert (seen["parkade_agent_session_up",], seen["parkade_agent_cpu_seconds",]) == (0, 12.5)
    silent = by_name(read_vehicle(state, {}, 0.0, is_connected=True))
    assert ("parkade_agent_state_of_charge_percent",) not in silent


def test_the_agent_shows_what_is_lent_and_what_it_cost() -> None:
    """Lanes that are lent and those that the guard allows now, none while it knows no pool; the day's energy in Wh."""
    own = OwnFacts(lanes=4, energy_wh_today=12.5)
    allowing = replace(initial(0), throttle=Lanes(2))
    shown = [by_name(read_lent(state, own)) for state in (initial(0), allowing)]
    assert [seen["parkade_agent_lanes", "allowed"] for seen in shown] == [0, 2]
    assert {seen["parkade_agent_lanes", "lent"] for seen in shown} == {4}
    assert {seen["parkade_agent_energy_today_watt_hours",] for seen in shown} == {12.5}


def test_a_durable_segment_counts_its_winners() -> None:
    """Records are counted when they are durable, by outcome."""
    names = [("parkade_records_total", "succeeded"), ("parkade_records_total", "failed")]
    names.append(("parkade_shards_total", "committed"))
    before = [sample(name, outcome=outcome) for name, outcome in names]
    commits = tuple(
        ShardCommit(
            shard=shard,
            attempt=f"{shard}",
            key="k",
            offset=0,
            size=1,
            output_size=1,
            sha256="",
            vehicle="ada",
            succeeded=9,
            failed=1,
        )
        for shard in range(2)
    )
    count_durable(Put(1, b"segment", commits))
    after = [sample(name, outcome=outcome) for name, outcome in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [18, 2, 2]


@pytest.mark.parametrize(
    ("said", "label"),
    [("Driving", "Driving"), ("SidecarLost", "SidecarLost"), ("x" * 99, "Other"), ("", "Other")],
)
def test_reasons_of_vehicles_are_from_a_list(said: str, label: str) -> None:
    """Whatever a vehicle gives as its reason, there are no more series than reasons."""
    before = sample("parkade_shards_returned_total", reason=label)
    count_returned(3, said)
    assert sample("parkade_shards_returned_total", reason=label) - before == 3


def test_enrolments_are_counted_by_credential() -> None:
    """A token enrols a vehicle, a ServiceAccount's token a simulated one."""
    before = [sample("parkade_enrolments_total", outcome=outcome) for outcome in ("token", "pod")]
    count_enrolment("token")
    count_enrolment("service_account_token")
    after = [sample("parkade_enrolments_total", outcome=outcome) for outcome in ("token", "pod")]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1]


def test_the_agent_shows_the_class_of_what_ran_last() -> None:
    """Records are added up; of the reproducibility classes only that of the last bundle is shown."""
    before = sample("parkade_agent_records_total", outcome="succeeded")
    for name in ("1111aaaa2222bbbb", "3333cccc4444dddd"):
        count_shard(ShardOutcome(succeeded=3, failed=1, reproducibility_class=name))
    assert sample("parkade_agent_records_total", outcome="succeeded") == before + 6
    shown = REGISTRY.get_sample_value
    assert shown("parkade_agent_reproducibility_class", {"class": "3333cccc4444dddd"}) == 1
    assert shown("parkade_agent_reproducibility_class", {"class": "1111aaaa2222bbbb"}) is None
