"""A VehiclePool's spec as the rules of its vehicles, and those rules as the message that a vehicle's guard gets."""

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.v1alpha1 import VehiclePool
from parkade_api.v1alpha1.common import seconds
from parkade_api.v1alpha1.vehiclepool import Consent
from parkade_core.vehicle.rules import Charging, ConsentTerms, PoolRules, StopPolicy, Window

_ANY_PLACE = "any"


def rules_of(pool: VehiclePool) -> PoolRules:
    """The rules that *pool* states."""
    spec = pool.spec
    eligibility, departure = spec.eligibility, spec.energy.departure
    return PoolRules(
        pool=pool.metadata.name,
        generation=pool.metadata.generation,
        min_state_of_charge_percent=eligibility.min_state_of_charge,
        resume_state_of_charge_percent=eligibility.resume_state_of_charge,
        charging=Charging(eligibility.charging),
        max_compute_celsius=eligibility.max_compute_celsius,
        max_battery_celsius=eligibility.max_battery_celsius,
        parked_for=seconds(eligibility.parked_for),
        cooldown=seconds(eligibility.cooldown),
        telemetry_stale_after=seconds(eligibility.telemetry_stale_after),
        driver_return_grace=seconds(spec.disruption.driver_return.grace_period),
        links=frozenset(eligibility.links),
        places=frozenset(eligibility.places) - {_ANY_PLACE},
        windows=tuple(
            Window(window.schedule, seconds(window.duration), window.time_zone, window.mode == "Allow")
            for window in spec.windows
        ),
        respect_schedule=departure.respect_schedule,
        reserve_state_of_charge_percent=departure.reserve_state_of_charge,
        quiet_before=seconds(departure.quiet_before),
        max_energy_wh_per_day=spec.energy.max_energy_wh_per_day,
        stop_policy=StopPolicy(spec.stop_policy),
        autonomy=seconds(spec.autonomy.duration),
        max_buffered_shards=spec.autonomy.max_buffered_shards,
        require_signed_bundles=spec.execution.require_signed_bundles,
        allowed_missing_layers=frozenset(spec.execution.allow_missing_sandbox_layers),
        consent=_terms(spec.consent) if spec.consent else None,
        uid=pool.metadata.uid,
    )


def policy_message(rules: PoolRules, quarantined: str) -> pb.Policy:
    """The rules as the guard gets them; *quarantined* says why the vehicle is not trusted, "" when it is."""
    energy = rules.max_energy_wh_per_day
    return pb.Policy(
        pool=rules.pool,
        generation=rules.generation,
        min_state_of_charge_percent=int(rules.min_state_of_charge_percent),
        resume_state_of_charge_percent=int(rules.resume_state_of_charge_percent),
        charging=rules.charging.value,
        max_compute_celsius=int(rules.max_compute_celsius),
        max_battery_celsius=int(rules.max_battery_celsius),
        parked_for_seconds=rules.parked_for,
        cooldown_seconds=rules.cooldown,
        telemetry_stale_after_seconds=rules.telemetry_stale_after,
        driver_return_grace_seconds=rules.driver_return_grace,
        links=sorted(rules.links),
        places=sorted(rules.places),
        windows=[_window(window) for window in rules.windows],
        respect_schedule=rules.respect_schedule,
        reserve_state_of_charge_percent=int(rules.reserve_state_of_charge_percent),
        quiet_before_seconds=rules.quiet_before,
        max_energy_wh_per_day=None if energy is None else int(energy),
        stop_policy=rules.stop_policy.value,
        autonomy_seconds=rules.autonomy,
        max_buffered_shards=rules.max_buffered_shards,
        require_signed_bundles=rules.require_signed_bundles,
        allow_missing_sandbox_layers=sorted(rules.allowed_missing_layers),
        consent=_asked(rules.consent) if rules.consent else None,
        quarantined=quarantined,
        pool_uid=rules.uid,
    )


def _terms(consent: Consent) -> ConsentTerms:
    renew_after = seconds(consent.renew_after) if consent.renew_after else 0.0
    return ConsentTerms(consent.terms_version, frozenset(consent.scopes), renew_after, consent.policy_ref)


def _window(window: Window) -> pb.Window:
    return pb.Window(
        schedule=window.schedule,
        duration_seconds=window.duration,
        time_zone=window.time_zone,
        allows=window.allows,
    )


def _asked(terms: ConsentTerms) -> pb.ConsentTerms:
    return pb.ConsentTerms(
        terms_version=terms.terms_version,
        scopes=sorted(terms.scopes),
        renew_after_seconds=terms.renew_after,
        policy_ref=terms.policy_ref,
    )
