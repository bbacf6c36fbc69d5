"""metav1.Conditions of our resources: lastTransitionTime moves only when the status does."""

from collections.abc import Iterable, Mapping

from parkade_api.v1alpha1.common import Condition

Fact = tuple[bool, str, str]  # whether it holds, the reason as one word, the message as a sentence


def renew(
    had: Iterable[Condition] | None, facts: Mapping[str, Fact], generation: int, now: str
) -> list[Condition]:
    """The conditions of *facts* (by type), which were *had* before; types that are not in *facts* stay as they were."""
    before = {condition.type: condition for condition in had or ()}
    return [
        *(condition for kind, condition in before.items() if kind not in facts),
        *(_renewed(before.get(kind), kind, fact, generation, now) for kind, fact in facts.items()),
    ]


def _renewed(before: Condition | None, kind: str, fact: Fact, generation: int, now: str) -> Condition:
    holds, reason, message = fact
    is_same = before is not None and (before.status == "True") == holds
    return Condition(
        type=kind,
        status="True" if holds else "False",
        reason=reason,
        message=message,
        last_transition_time=before.last_transition_time if before and is_same else now,
        observed_generation=generation,
    )
