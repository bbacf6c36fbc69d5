"""Between the messages of parkade.fleet.v1 and the values that core decides on."""

from collections.abc import Iterable

from parkade_agent.journal.attempts import Attempt
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_core.shown import shown
from parkade_core.vehicle.bounds import out_of_bounds
from parkade_core.vehicle.guard import GuardState
from parkade_core.vehicle.position import outward
from parkade_core.vehicle.readings import Reading, Readings
from parkade_core.vehicle.rules import Charging, ConsentTerms, PoolRules, StopPolicy, Window
from parkade_core.vehicle.verdict import Verdict

_OLDEST_MILLISECONDS = 2**32 - 1  # what the message can hold; a reading of unknown age is as old
_MOST_WORD = 128  # characters of what the gateway says and the owner reads
_MOST_REFERENCE = 1024  # the same of where the terms are


def rules_of(policy: fleet_pb2.Policy) -> PoolRules | None:
    """The pool's rules in a Policy; None in one that names no pool, because the vehicle is in none.

    Raises ValueError for a plug rule or stop policy that this agent does not know, and for a number that no pool may
    ask: the guard would wait for ever, or end itself, on some of them.

    A window that cannot be read here (its schedule, or a zone that this vehicle's table lacks) is no such error. Who
    refuses rules starts nothing until there are others; the guard takes such a window for closed when it allows and for
    open when it denies, says why, and applies all other rules.
    """
    if not policy.pool:
        return None
    rules = _read(policy)
    if (problem := out_of_bounds(rules)) is not None:
        raise ValueError(problem)
    return rules


def _read(policy: fleet_pb2.Policy) -> PoolRules:
    has_cap = policy.HasField("max_energy_wh_per_day")
    return PoolRules(
        pool=word(policy.pool),
        generation=policy.generation,
        min_state_of_charge_percent=policy.min_state_of_charge_percent,
        resume_state_of_charge_percent=policy.resume_state_of_charge_percent,
        charging=Charging(policy.charging),
        max_compute_celsius=policy.max_compute_celsius,
        max_battery_celsius=policy.max_battery_celsius,
        parked_for=policy.parked_for_seconds,
        cooldown=policy.cooldown_seconds,
        telemetry_stale_after=policy.telemetry_stale_after_seconds,
        driver_return_grace=policy.driver_return_grace_seconds,
        links=_words(policy.links),
        places=_words(policy.places),
        windows=tuple(map(_window, policy.windows)),
        respect_schedule=policy.respect_schedule,
        reserve_state_of_charge_percent=policy.reserve_state_of_charge_percent,
        quiet_before=policy.quiet_before_seconds,
        max_energy_wh_per_day=policy.max_energy_wh_per_day if has_cap else None,
        stop_policy=StopPolicy(policy.stop_policy),
        autonomy=policy.autonomy_seconds,
        max_buffered_shards=policy.max_buffered_shards,
        require_signed_bundles=policy.require_signed_bundles,
        allowed_missing_layers=_words(policy.allow_missing_sandbox_layers),
        consent=_terms(policy.consent) if policy.HasField("consent") else None,
        uid=word(policy.pool_uid),
    )


def is_older(policy: fleet_pb2.Policy, newest: fleet_pb2.Policy) -> bool:
    """Whether *policy* is a version of the pool of *newest* that came before it: a gateway's view may lag behind."""
    is_same = bool(policy.pool_uid) and policy.pool_uid == newest.pool_uid
    return is_same and policy.generation < newest.generation


def telemetry(
    readings: Readings,
    state: GuardState,
    reclaims: Iterable[fleet_pb2.Reclaim] = (),
    energy_wh_today: float = 0.0,
) -> fleet_pb2.Telemetry:
    """Everything that the vehicle tells about itself."""
    return fleet_pb2.Telemetry(
        signals=[_signal(path, reading) for path, reading in sorted(outward(readings).items())],
        guard_state=state.action,
        guard_message=state.message,
        reclaims=reclaims,
        judgements=map(_judgement, state.verdicts),
        energy_wh_today=energy_wh_today,
        lanes=0 if state.throttle is None else state.throttle.count,
    )


def handback(
    batch_uid: str, lease: str, shards: Iterable[int], reason: str = "", message: str = ""
) -> fleet_pb2.VehicleMessage:
    """Says that the vehicle will not finish *shards* of a lease."""
    back = fleet_pb2.Handback(batch_uid=batch_uid, lease=lease, shards=shards, reason=reason, message=message)
    return fleet_pb2.VehicleMessage(handback=back)


def _judgement(verdict: Verdict) -> fleet_pb2.Judgement:
    return fleet_pb2.Judgement(
        condition=verdict.condition,
        holds=verdict.holds,
        reason=verdict.reason or "",
        message=verdict.message,
        effect=verdict.effect or "",
        remedy=verdict.remedy,
    )


def _window(window: fleet_pb2.Window) -> Window:
    return Window(word(window.schedule), window.duration_seconds, word(window.time_zone), window.allows)


def _terms(asked: fleet_pb2.ConsentTerms) -> ConsentTerms:
    version, scopes = word(asked.terms_version), _words(asked.scopes)
    return ConsentTerms(version, scopes, asked.renew_after_seconds, shown(asked.policy_ref, _MOST_REFERENCE))


def word(text: str) -> str:
    """A word of the gateway as the owner's terminal can show it."""
    return shown(text, _MOST_WORD)


def _words(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(map(word, texts))


def held_leases(
    attempts: Iterable[Attempt], unsaid: Iterable[fleet_pb2.VehicleMessage]
) -> list[fleet_pb2.HeldLease]:
    """What the vehicle holds leases of: *attempts*, and the shards of handbacks among *unsaid*.

    A gateway takes a handback from the holder of a lease only: one that ended out of sight is the vehicle's until the
    session in which it says why.
    """
    backs = [message.handback for message in unsaid if message.HasField("handback")]
    shards = [(each.batch_uid, each.lease, each.shard) for each in attempts]
    shards += [
        (back.batch_uid, back.lease, fleet_pb2.LeasedShard(shard=number))
        for back in backs
        for number in back.shards
    ]
    leases: dict[str, fleet_pb2.HeldLease] = {}
    for batch_uid, lease, shard in shards:
        held = leases.setdefault(lease, fleet_pb2.HeldLease(batch_uid=batch_uid, lease=lease))
        held.shards.append(shard)
    return list(leases.values())


def lost_keys(losses: fleet_pb2.Losses) -> frozenset[tuple[str, int]]:
    """Lease and number of every shard that the vehicle holds no more."""
    return frozenset((loss.lease, shard) for loss in losses.leases for shard in loss.shards)


def _signal(path: str, reading: Reading) -> fleet_pb2.Signal:
    age = int(min(_OLDEST_MILLISECONDS, reading.age * 1000))
    signal = fleet_pb2.Signal(path=path, age_milliseconds=age, fault=reading.fault)
    match reading.value:
        case bool():
            signal.flag = reading.value
        case str():
            signal.text = reading.value
        case _:
            signal.number = reading.value
    return signal
