"""The names that Parkade's processes and its users share: group, labels, taints, conditions, reasons.

A name that appears in the API server, a file or a message is written here once and imported everywhere else.
"""

from enum import StrEnum
from typing import Final

GROUP: Final = "parkade.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

NODE_PREFIX: Final = "vehicle-"
NODE_LEASE_NAMESPACE: Final = "kube-node-lease"
PROVIDER: Final = "parkade"

LABEL_VEHICLE: Final = f"{GROUP}/vehicle"
LABEL_POOL: Final = f"{GROUP}/pool"
LABEL_BATCH: Final = f"{GROUP}/batch"
LABEL_BATCH_UID: Final = f"{GROUP}/batch-uid"
REFUSAL_PREFIX: Final = f"refuses.{GROUP}/"

ANNOTATION_BUNDLE_DIGEST: Final = f"{GROUP}/bundle-digest"
ANNOTATION_QUARANTINED: Final = f"{GROUP}/quarantined"  # on a vehicle's Node, by the CLI: why
MOST_WHY: Final = 256  # characters of that

RESOURCE_SLOT: Final = f"{GROUP}/slot"
MOST_LEASED_SHARDS: Final = 64  # in one lease

TAINT_PROVIDER: Final = "virtual-kubelet.io/provider"
TAINT_NOT_READY: Final = "node.kubernetes.io/not-ready"
TAINT_UNREACHABLE: Final = "node.kubernetes.io/unreachable"

CONTAINER_RUNNER: Final = "runner"
CONTAINER_SIDECAR: Final = "sidecar"
IMAGE_RUNNER: Final = "parkade/runner"
IMAGE_SIDECAR: Final = "parkade/sidecar"
SLOT_SECRET: Final = "parkade-slot-secret"  # noqa: S105 - metadata of a runner's calls to its agent

SAN_VEHICLE: Final = "urn:parkade:vehicle:"
SAN_CLAIM: Final = "urn:parkade:claim:"
SAN_ENROLLED: Final = "urn:parkade:enrolled:"  # unix milliseconds; a renewed certificate keeps it

GATEWAY_AUDIENCE: Final = "parkade-gateway"
ENROLMENT_AUDIENCE: Final = "parkade-enrolment"
SYSTEM_NAMESPACE: Final = "parkade-system"

# Objects of the release, in its namespace. The chart renders them without data; whoever is named here writes it.
OPERATOR: Final = "parkade-operator"  # ServiceAccount, ClusterRole, Deployment, leader Lease
GATEWAY: Final = "parkade-gateway"  # the same, and the Service; vehicles' Nodes are owned by its ClusterRole
SIMULATION: Final = "parkade-simulation"  # ServiceAccount, Deployment
SECRET_CA: Final = "parkade-gateway-ca"  # noqa: S105 - tls.crt and tls.key of the door's CA; the gateway, once
CONFIG_MAP_CA: Final = "parkade-gateway-ca"  # ca.crt, the public part; the gateway
SECRET_TOKENS: Final = "parkade-enrolment-tokens"  # noqa: S105 - hashes of enrolment tokens; the CLI, the gateway
CONFIG_MAP_REVOKED: Final = "parkade-revoked"  # vehicle id -> RFC 3339: enrolled up to then is void; the CLI

LABEL_LEADER: Final = f"{GROUP}/leader"  # "true" on the one gateway pod that the Service shall reach
LABEL_SIMULATED: Final = f"{GROUP}/simulated"

# Reasons of conditions that are no vehicle's and no failure's.
GATEWAY_UNREACHABLE: Final = "GatewayUnreachable"
POOL_NOT_FOUND: Final = "PoolNotFound"
PLATFORM_TROUBLE: Final = "PlatformTrouble"
RECORDS_FAILED: Final = "RecordsFailed"  # of an Event
NOT_FOR_VEHICLES: Final = "NotForVehicles"


class Taint(StrEnum):
    """Keys of the taints that the gateway owns on a vehicle's Node."""

    DRIVING = f"{GROUP}/driving"
    CHARGING = f"{GROUP}/charging"
    BATTERY = f"{GROUP}/battery"
    THERMAL = f"{GROUP}/thermal"
    CONNECTIVITY = f"{GROUP}/connectivity"
    POLICY = f"{GROUP}/policy"
    CONSENT = f"{GROUP}/consent"
    QUARANTINE = f"{GROUP}/quarantine"
    UNKNOWN = f"{GROUP}/unknown"


class Effect(StrEnum):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Condition(StrEnum):
    """Types of the conditions on a vehicle's Node; True is the state in which the vehicle may work."""

    VEHICLE_PARKED = "VehicleParked"
    CHARGING_OK = "ChargingOK"
    BATTERY_OK = "BatteryOK"
    THERMAL_OK = "ThermalOK"
    CONNECTIVITY_OK = "ConnectivityOK"
    POLICY_ALLOWS = "PolicyAllows"
    CONSENT_CURRENT = "ConsentCurrent"
    TRUSTED = "Trusted"


class Reason(StrEnum):
    """Why a vehicle does not work: one vocabulary for conditions, slots, handbacks and ineligibleReasons."""

    DRIVING = "Driving"
    NOT_PARKED_LONG_ENOUGH = "NotParkedLongEnough"
    NOT_CHARGING = "NotCharging"
    LOW_BATTERY = "LowBattery"
    TOO_HOT = "TooHot"
    TOO_COLD = "TooCold"
    METERED_LINK = "MeteredLink"
    SILENT = "Silent"
    DEPARTURE_NEAR = "DepartureNear"
    OUTSIDE_WINDOW = "OutsideWindow"
    OUTSIDE_PLACE = "OutsidePlace"
    ENERGY_USED_UP = "EnergyUsedUp"
    POWER_LIMITED = "PowerLimited"
    BROKEN_DOWN = "BrokenDown"
    POOL_ON_HOLD = "PoolOnHold"
    NO_POOL = "NoPool"
    OWNER_PAUSED = "OwnerPaused"
    NO_CONSENT = "NoConsent"
    QUARANTINED = "Quarantined"
    SANDBOX_INCOMPLETE = "SandboxIncomplete"
    NO_SPACE = "NoSpace"
    UNKILLABLE = "Unkillable"
    ASSIGNMENT_REFUSED = "AssignmentRefused"
    BUNDLE_REFUSED = "BundleRefused"
    MODEL_REFUSED = "ModelRefused"
    UNKNOWN = "Unknown"


class ShardFault(StrEnum):
    """Why an attempt gave no result, as far as the shard itself may be to blame; a few of them fail the batch."""

    SIDECAR_LOST = "SidecarLost"
    RUNNER_LOST = "RunnerLost"
    SHARD_REFUSED = "ShardRefused"
    SHARD_DAMAGED = "ShardDamaged"
    RESULT_CORRUPT = "ResultCorrupt"
    PIECE_REFUSED = "PieceRefused"
    NO_RESULT = "NoResult"
    UNEXPECTED = "Unexpected"


class BatchReason(StrEnum):
    """Why an InferenceBatch failed."""

    INPUT_UNREADABLE = "InputUnreadable"
    INPUT_DIGEST_MISMATCH = "InputDigestMismatch"
    INPUT_EMPTY = "InputEmpty"
    INPUT_CHANGED = "InputChanged"
    MODEL_UNREADABLE = "ModelUnreadable"
    MODEL_DIGEST_MISMATCH = "ModelDigestMismatch"
    MODEL_INVALID = "ModelInvalid"
    MODEL_REFUSED = "ModelRefused"
    OUTPUT_EXISTS = "OutputExists"
    OUTPUT_UNWRITABLE = "OutputUnwritable"
    SHARD_FAILED = "ShardFailed"
    LOG_BROKEN = "LogBroken"
    INTERNAL = "InternalError"


class RecordError(StrEnum):
    """Codes in errors.jsonl: why one record failed. The others of its shard succeed."""

    NOT_JSON = "NotJson"
    NOT_AN_OBJECT = "NotAnObject"
    LINE_TOO_LONG = "LineTooLong"
    MISSING_CUSTOM_ID = "MissingCustomId"
    BAD_CUSTOM_ID = "BadCustomId"
    REPEATED_CUSTOM_ID = "RepeatedCustomId"
    BAD_REQUEST = "BadRequest"
    EMPTY_TEXT = "EmptyText"
    INFERENCE_FAILED = "InferenceFailed"
