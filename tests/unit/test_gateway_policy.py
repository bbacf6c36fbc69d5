"""A pool's spec reaches a vehicle's guard: every field of it, and nothing else."""

import string
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from parkade_agent.runtime.sandbox.layers import Layer
from parkade_agent.wire import rules_of as rules_in
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.v1alpha1 import VehiclePool
from parkade_core.vehicle.bounds import BOUNDS, RENEWAL_SECONDS, WINDOW_SECONDS, out_of_bounds
from parkade_core.vehicle.consent import PLACES, SCOPES
from parkade_core.vehicle.rules import Charging, ConsentTerms, PoolRules, StopPolicy, Window
from parkade_operator.gateway.policy import policy_message, rules_of

EVERYTHING = {
    "metadata": {"name": "night", "generation": 4},
    "spec": {
        "selector": {},
        "stopPolicy": "Hold",
        "eligibility": {
            "parkedFor": "5m",
            "minStateOfCharge": 50,
            "resumeStateOfCharge": 55,
            "charging": "NotRequired",
            "maxComputeCelsius": 70,
            "maxBatteryCelsius": 40,
            "cooldown": "3m",
            "telemetryStaleAfter": "20s",
            "links": ["wifi", "ethernet"],
            "places": ["home", "depot"],
        },
        "energy": {
            "maxEnergyWhPerDay": 900,
            "departure": {"respectSchedule": True, "reserveStateOfCharge": 70, "quietBefore": "30m"},
        },
        "windows": [
            {"schedule": "0 22 * * *", "duration": "8h", "timeZone": "Europe/Berlin"},
            {"schedule": "0 0 * * 0", "duration": "24h", "mode": "Deny"},
        ],
        "disruption": {"driverReturn": {"gracePeriod": "2s", "reclaimTarget": "100ms"}},
        "autonomy": {"duration": "6h", "maxBufferedShards": 20},
        "execution": {"requireSignedBundles": True, "allowMissingSandboxLayers": ["landlock"]},
        "consent": {
            "policyRef": "https://example.com/terms/2",
            "termsVersion": "2",
            "scopes": ["public-data"],
            "renewAfter": "8760h",
        },
    },
}
RULES = PoolRules(
    pool="night",
    generation=4,
    min_state_of_charge_percent=50,
    resume_state_of_charge_percent=55,
    charging=Charging.NOT_REQUIRED,
    max_compute_celsius=70,
    max_battery_celsius=40,
    parked_for=300,
    cooldown=180,
    telemetry_stale_after=20,
    driver_return_grace=2,
    links=frozenset({"wifi", "ethernet"}),
    places=frozenset({"home", "depot"}),
    windows=(
        Window("0 22 * * *", 8 * 3600, "Europe/Berlin"),
        Window("0 0 * * 0", 24 * 3600, allows=False),
    ),
    respect_schedule=True,
    reserve_state_of_charge_percent=70,
    quiet_before=1800,
    max_energy_wh_per_day=900,
    stop_policy=StopPolicy.HOLD,
    autonomy=6 * 3600,
    max_buffered_shards=20,
    require_signed_bundles=True,
    allowed_missing_layers=frozenset({"landlock"}),
    consent=ConsentTerms("2", frozenset({"public-data"}), 8760 * 3600, "https://example.com/terms/2"),
)

words = st.text(string.printable.strip() + "üß東", max_size=8)
some_words = st.frozensets(words, max_size=4)
schedules, zones = st.sampled_from(["0 22 * * 1-5", "*/5 * * * *"]), st.sampled_from(["", "Europe/Berlin"])
windows = st.lists(
    st.builds(Window, schedules, st.floats(*WINDOW_SECONDS), zones, st.booleans()), max_size=4
).map(tuple)
renewals = st.just(0.0) | st.floats(*RENEWAL_SECONDS)


def whole(name: str) -> st.SearchStrategy[int]:
    """What the message carries as a whole number."""
    least, most = BOUNDS[name]
    return st.integers(int(least), int(most))


rules = st.builds(
    PoolRules,
    pool=words.filter(bool),
    generation=st.integers(0, 2**62),
    min_state_of_charge_percent=whole("min_state_of_charge_percent"),
    resume_state_of_charge_percent=whole("resume_state_of_charge_percent"),
    charging=st.sampled_from(Charging),
    max_compute_celsius=whole("max_compute_celsius"),
    max_battery_celsius=whole("max_battery_celsius"),
    parked_for=st.floats(*BOUNDS["parked_for"]),
    cooldown=st.floats(*BOUNDS["cooldown"]),
    telemetry_stale_after=st.floats(*BOUNDS["telemetry_stale_after"]),
    driver_return_grace=st.floats(*BOUNDS["driver_return_grace"]),
    links=some_words,
    places=some_words,
    windows=windows,
    respect_schedule=st.booleans(),
    reserve_state_of_charge_percent=whole("reserve_state_of_charge_percent"),
    quiet_before=st.floats(*BOUNDS["quiet_before"]),
    max_energy_wh_per_day=st.none() | whole("max_energy_wh_per_day"),
    stop_policy=st.sampled_from(StopPolicy),
    autonomy=st.floats(*BOUNDS["autonomy"]),
    max_buffered_shards=whole("max_buffered_shards"),
    require_signed_bundles=st.booleans(),
    allowed_missing_layers=some_words,
    consent=st.none() | st.builds(ConsentTerms, words, some_words, renewals, words),
    uid=words,
).filter(lambda stated: out_of_bounds(stated) is None)


@given(rules)
def test_what_the_gateway_says_is_what_the_guard_hears(stated: PoolRules) -> None:
    """Every rule survives the way over the wire, as bytes."""
    sent = policy_message(stated, "").SerializeToString()
    assert rules_in(pb.Policy.FromString(sent)) == stated


def test_every_field_of_a_pool_becomes_a_rule() -> None:
    """A pool that sets everything, and one that sets nothing, whose vehicles are asked for nothing special."""
    assert rules_of(VehiclePool.model_validate(EVERYTHING)) == RULES
    plain = rules_of(VehiclePool.model_validate({"metadata": {"name": "a"}, "spec": {"selector": {}}}))
    assert (plain.links, plain.places, plain.windows, plain.consent) == (frozenset(), frozenset(), (), None)
    assert (plain.max_energy_wh_per_day, plain.stop_policy, plain.autonomy) == (None, StopPolicy.NONE, 3600)
    defaults = {item.name: item.default for item in fields(PoolRules)}
    assert plain.max_buffered_shards == defaults["max_buffered_shards"]


def test_any_place_is_no_place_in_particular() -> None:
    """`any` in a pool asks for nothing, as an empty list does."""
    item = {"metadata": {"name": "a"}, "spec": {"selector": {}, "eligibility": {"places": ["any"]}}}
    assert rules_of(VehiclePool.model_validate(item)).places == frozenset()


def test_a_quarantine_is_told() -> None:
    """The guard hears why the cluster does not trust its vehicle."""
    assert policy_message(RULES, "wrong results").quarantined == "wrong results"


def test_a_pool_asks_for_what_an_owner_can_agree_to() -> None:
    """The schema's scopes and places are those that a consent can name, its layers those that a vehicle has."""
    spec = VehiclePool.model_json_schema()["$defs"]
    assert set(spec["Consent"]["properties"]["scopes"]["items"]["enum"]) == SCOPES
    assert set(spec["Eligibility"]["properties"]["places"]["items"]["enum"]) == PLACES | {"any"}
    layers = spec["Execution"]["properties"]["allowMissingSandboxLayers"]["items"]["enum"]
    assert set(layers) == set(Layer)
