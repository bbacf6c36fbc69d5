"""Pools that the API server shall refuse, each with the words that help, and their accepted neighbours."""

from parkade_api.wellknown import API_VERSION
from support.admission import Object


def pool(name: str = "garage", *, spec: Object | None = None, **eligibility: object) -> Object:
    """A pool that is accepted, with those rules; *spec* replaces parts of it, None removes one."""
    base: Object = {"selector": {"matchLabels": {"parkade.dev/region": "eu"}}, "eligibility": eligibility}
    given = {key: value for key, value in (base | (spec or {})).items() if value is not None}
    return {"apiVersion": API_VERSION, "kind": "VehiclePool", "metadata": {"name": name}, "spec": given}


def by_expression(**expression: object) -> Object:
    """A pool whose selector is one expression."""
    return pool(spec={"selector": {"matchExpressions": [expression]}})


def with_windows(*windows: Object) -> Object:
    """A pool with these windows, each of eight hours from ten in the evening where it says nothing else."""
    usual = {"schedule": "0 22 * * *", "duration": "8h"}
    return pool(spec={"windows": [usual | window for window in windows]})


def with_consent(**consent: object) -> Object:
    """A pool that asks for consent to terms 2 on public data, or as it says."""
    asked = {"termsVersion": "2", "scopes": ["public-data"]} | consent
    return pool(spec={"consent": {key: value for key, value in asked.items() if value is not None}})


def with_departure(**departure: object) -> Object:
    """A pool that thinks of the next trip."""
    return pool(spec={"energy": {"departure": departure}})


def with_target(target: object) -> Object:
    """A pool with that reclaimTarget."""
    return pool(spec={"disruption": {"driverReturn": {"reclaimTarget": target}}})


_DURATION = "write a duration in h, m and s, such as 90s, 10m or 1h30m"
_VALUES = "In and NotIn need values, Exists and DoesNotExist take none"
_CRON = "write the five fields of cron"

# What is wrong, the field that is named, and the words that help.
REFUSED_POOLS: dict[str, tuple[Object, str, str]] = {
    "no selector": (pool(spec={"selector": None}), "spec.selector", "Required value"),
    "In without values": (by_expression(key="a", operator="In"), "matchExpressions[0]", _VALUES),
    "Exists with values": (
        by_expression(key="a", operator="Exists", values=["b"]),
        "matchExpressions[0]",
        _VALUES,
    ),
    "unknown operator": (
        by_expression(key="a", operator="Gt"),
        "operator",
        'supported values: "In", "NotIn"',
    ),
    "expression without key": (
        by_expression(key="", operator="Exists"),
        "key",
        "a label key is name or prefix",
    ),
    "label value": (
        pool(spec={"selector": {"matchLabels": {"a": "b c"}}}),
        "spec.selector.matchLabels[a]",
        "a label value is letters, digits",
    ),
    "resume at the floor": (
        pool(minStateOfCharge=60, resumeStateOfCharge=60),
        "spec.eligibility",
        "resumeStateOfCharge must be above minStateOfCharge",
    ),
    "floor above the usual resume": (
        pool(minStateOfCharge=70),
        "spec.eligibility",
        "unless set they are 65 and 60",
    ),
    "charge above 100 %": (
        pool(minStateOfCharge=101, resumeStateOfCharge=102),
        "spec.eligibility.minStateOfCharge",
        "less than or equal to 100",
    ),
    "charge below nothing": (pool(minStateOfCharge=-1), "minStateOfCharge", "greater than or equal to 0"),
    "charge with a sign": (pool(minStateOfCharge="60%"), "minStateOfCharge", "must be of type integer"),
    "a computer that boils": (pool(maxComputeCelsius=200), "maxComputeCelsius", "less than or equal to 110"),
    "a computer that freezes": (
        pool(maxComputeCelsius=-5),
        "maxComputeCelsius",
        "greater than or equal to 30",
    ),
    "a battery that burns": (pool(maxBatteryCelsius=90), "maxBatteryCelsius", "less than or equal to 70"),
    "unknown plug rule": (
        pool(charging="Maybe"),
        "spec.eligibility.charging",
        'supported values: "Required"',
    ),
    "parked for words": (pool(parkedFor="ten minutes"), "spec.eligibility.parkedFor", _DURATION),
    "parked for ever": (pool(parkedFor="25h"), "spec.eligibility.parkedFor", "must be from 0s to 24h"),
    "cooldown below nothing": (pool(cooldown="-1s"), "spec.eligibility.cooldown", _DURATION),
    "always stale": (pool(telemetryStaleAfter="0s"), "telemetryStaleAfter", "must be from 1s to 10m"),
    "a driver who waits": (
        pool(spec={"disruption": {"driverReturn": {"gracePeriod": "1m"}}}),
        "gracePeriod",
        "must be from 0s to 30s",
    ),
    "a month out of sight": (
        pool(spec={"autonomy": {"duration": "720h"}}),
        "spec.autonomy.duration",
        "must be from 1s to 168h",
    ),
    "no weight": (pool(spec={"weight": 0}), "spec.weight", "greater than or equal to 1"),
    "misspelt rule": (pool(minSoc=60), "", 'unknown field "spec.eligibility.minSoc"'),
    "a name no label can hold": (pool("a" * 64), "", "a pool's name is a label of its vehicles' Nodes"),
    "unknown stop policy": (
        pool(spec={"stopPolicy": "Halt"}),
        "spec.stopPolicy",
        'supported values: "None", "Hold", "HoldAndDrain"',
    ),
    "unknown link": (
        pool(links=["5g"]),
        "spec.eligibility.links[0]",
        'values: "wifi", "ethernet", "cellular"',
    ),
    "a link twice": (pool(links=["wifi", "wifi"]), "spec.eligibility.links[1]", "Duplicate value"),
    "unknown place": (
        pool(places=["beach"]),
        "spec.eligibility.places[0]",
        'values: "home", "work", "depot"',
    ),
    "any place beside another": (pool(places=["any", "home"]), "spec.eligibility.places", "write it alone"),
    "no energy at all": (
        pool(spec={"energy": {"maxEnergyWhPerDay": 0}}),
        "spec.energy.maxEnergyWhPerDay",
        "greater than or equal to 1",
    ),
    "a reserve above 100 %": (
        with_departure(reserveStateOfCharge=101),
        "spec.energy.departure.reserveStateOfCharge",
        "less than or equal to 100",
    ),
    "a reserve under the floor": (
        with_departure(reserveStateOfCharge=50),
        "spec:",
        "reserveStateOfCharge is under eligibility.minStateOfCharge, which holds already",
    ),
    "quiet for a day": (with_departure(quietBefore="24h"), "quietBefore", "must be from 0s to 12h"),
    "a window of six fields": (with_windows({"schedule": "0 0 22 * * *"}), "windows[0].schedule", _CRON),
    "a window in words": (with_windows({"schedule": "@daily"}), "windows[0].schedule", _CRON),
    "a window without an end": (
        with_windows({"duration": None}),
        "spec.windows[0].duration",
        "Required value",
    ),
    "a window of no time": (
        with_windows({"duration": "0s"}),
        "windows[0].duration",
        "must be from 1m to 168h",
    ),
    "a zone that is a path": (
        with_windows({"timeZone": "../etc"}),
        "windows[0].timeZone",
        "write the IANA name",
    ),
    "unknown mode": (with_windows({"mode": "Maybe"}), "windows[0].mode", 'values: "Allow", "Deny"'),
    "allowed and denied": (
        with_windows({"mode": "Allow"}, {"mode": "Deny", "duration": "1h"}),
        "spec.windows",
        "one schedule is allowed and denied",
    ),
    "too many windows": (with_windows(*[{}] * 17), "spec.windows", "must have at most 16 items"),
    "a target of nothing": (with_target("0ms"), "reclaimTarget", "must be from 1ms to 60s"),
    "a target in minutes": (with_target("1m"), "reclaimTarget", "write a number of ms or s, such as 100ms"),
    "no buffer": (
        pool(spec={"autonomy": {"maxBufferedShards": 0}}),
        "spec.autonomy.maxBufferedShards",
        "greater than or equal to 1",
    ),
    "unknown layer": (
        pool(spec={"execution": {"allowMissingSandboxLayers": ["network"]}}),
        "allowMissingSandboxLayers[0]",
        'supported values: "namespaces", "seccomp", "landlock", "cgroup-memory"',
    ),
    "unknown scope": (
        with_consent(scopes=["everything"]),
        "spec.consent.scopes[0]",
        'supported values: "public-data", "internal-data", "confidential-data"',
    ),
    "no scope": (with_consent(scopes=[]), "spec.consent.scopes", "at least 1 items"),
    "no terms": (with_consent(termsVersion=None), "spec.consent.termsVersion", "Required value"),
    "terms with blanks": (with_consent(termsVersion="2 b"), "termsVersion", "a version is letters, digits"),
    "asked every minute": (with_consent(renewAfter="1m"), "renewAfter", "must be from 1h to 17520h"),
}

ACCEPTED_POOLS: dict[str, Object] = {
    "a plain pool": pool(),
    "every vehicle": pool(spec={"selector": {}}),
    "expressions": by_expression(key="parkade.dev/hardware", operator="NotIn", values=["hw3", ""]),
    "an expression without values": by_expression(key="owner", operator="DoesNotExist"),
    "bounds of charge": pool(minStateOfCharge=0, resumeStateOfCharge=100, charging="NotRequired"),
    "bounds of heat": pool(maxComputeCelsius=110, maxBatteryCelsius=20),
    "no waiting": pool(parkedFor="0s", cooldown="0s", telemetryStaleAfter="1s"),
    "the longest pool name": pool("a" * 63, spec={"weight": 100, "autonomy": {"duration": "168h"}}),
    "every kind of pause": pool(spec={"stopPolicy": "HoldAndDrain"}),
    "links and places": pool(links=["wifi", "ethernet", "cellular"], places=["home", "work", "depot"]),
    "any place": pool(places=["any"]),
    "a reserve at the floor": with_departure(
        respectSchedule=True, reserveStateOfCharge=60, quietBefore="30m"
    ),
    "a cap alone": pool(spec={"energy": {"maxEnergyWhPerDay": 1}}),
    "windows of many kinds": with_windows(
        {"timeZone": "Europe/Berlin"},
        {"schedule": "*/15 8-10,20 1 jan,feb mon-fri", "timeZone": "America/Argentina/Buenos_Aires"},
        {"schedule": "0 0 L * 6#2", "timeZone": "Etc/GMT+1", "mode": "Deny"},
    ),
    "one schedule in two zones": with_windows(
        {"timeZone": "UTC"}, {"timeZone": "Asia/Tokyo", "mode": "Deny"}
    ),
    "as many windows as there may be": with_windows(*[{"schedule": f"{n} * * * *"} for n in range(16)]),
    "bounds of the promise": with_target("1ms"),
    "walls": pool(
        spec={"execution": {"requireSignedBundles": True, "allowMissingSandboxLayers": ["landlock"]}}
    ),
    "consent": with_consent(policyRef="https://example.com/terms/2", renewAfter="8760h"),
}
