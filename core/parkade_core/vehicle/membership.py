"""Which pool a vehicle belongs to."""

from collections.abc import Iterable, Mapping

from parkade_api.v1alpha1 import VehiclePool
from parkade_api.v1alpha1.common import LabelRequirement, LabelSelector


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether *labels* satisfy *selector* as metav1.LabelSelector has it; an empty one matches everything."""
    wanted = (selector.match_labels or {}).items()
    return all(labels.get(key) == value for key, value in wanted) and all(
        _holds(requirement, labels) for requirement in selector.match_expressions or []
    )


def _holds(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in (requirement.values or [])
        case "NotIn":
            return value not in (requirement.values or [])
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None


def pool_of(labels: Mapping[str, str], pools: Iterable[VehiclePool]) -> VehiclePool | None:
    """The one pool of a vehicle: highest weight, then first by name; None when no pool fits its labels."""
    fitting = [pool for pool in pools if matches(pool.spec.selector, labels)]
    return min(fitting, key=lambda pool: (-pool.spec.weight, pool.metadata.name), default=None)
