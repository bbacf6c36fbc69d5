"""Who of several candidates leads: what a Kubernetes Lease means, and what to write into it.

Clocks of two machines are never compared. A candidate judges a Lease by how long *it* has seen it unchanged; a
leader counts from the moment before it sent its last renewal. With DEADLINE_SECONDS well below DURATION_SECONDS
the leader has ended before anybody may take its Lease, as long as monotonic clocks run about equally fast.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from parkade_api.wellknown import LABEL_LEADER

DURATION_SECONDS: Final = 15
RENEW_SECONDS: Final = 5.0
DEADLINE_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 1.0

Object = dict[str, Any]


class Standing(StrEnum):
    """How a Lease stands to one candidate."""

    MISSING = "Missing"  # only an installation or an upgrade of the release makes it
    FREE = "Free"
    OURS = "Ours"
    EXPIRED = "Expired"
    HELD = "Held"


@dataclass(frozen=True, slots=True)
class LeaseView:
    """A Lease as the API server has it; *version* changes with every write."""

    version: str
    holder: str = ""
    transitions: int = 0
    duration: float = DURATION_SECONDS


@dataclass(frozen=True, slots=True)
class Sighting:
    """A Lease, and since when on the candidate's own clock it has been seen as it is; None is no Lease at all."""

    lease: LeaseView | None
    since: float


def lease_view(item: Object) -> LeaseView:
    """The Lease object as it is judged."""
    spec = item.get("spec") or {}
    return LeaseView(
        version=str(item["metadata"]["resourceVersion"]),
        holder=spec.get("holderIdentity") or "",
        transitions=spec.get("leaseTransitions") or 0,
        duration=spec.get("leaseDurationSeconds") or DURATION_SECONDS,
    )


def sight(before: Sighting | None, lease: LeaseView | None, now: float) -> Sighting:
    """What the candidate has seen after it looked at *now*."""
    if before is not None and before.lease == lease:
        return before
    return Sighting(lease, now)


def standing(sighting: Sighting, me: str, now: float) -> Standing:
    """How the Lease stands to the candidate *me*.

    One that is already ours is that of our predecessor in the same pod, which has ended.
    """
    lease = sighting.lease
    if lease is None:
        return Standing.MISSING
    if not lease.holder:
        return Standing.FREE
    if lease.holder == me:
        return Standing.OURS
    return Standing.EXPIRED if now - sighting.since >= lease.duration else Standing.HELD


def may_take(how: Standing) -> bool:
    """Whether a candidate may take a Lease that stands so to it."""
    return how in (Standing.FREE, Standing.OURS, Standing.EXPIRED)


def acquisition(lease: LeaseView, me: str, now_micro: str) -> Object:
    """The merge patch that makes *me* the leader, guarded by the version that was judged."""
    return {
        "metadata": {"resourceVersion": lease.version},
        "spec": {
            "holderIdentity": me,
            "leaseDurationSeconds": DURATION_SECONDS,
            "acquireTime": now_micro,
            "renewTime": now_micro,
            "leaseTransitions": lease.transitions + 1,
        },
    }


def renewal(lease: LeaseView, now_micro: str) -> Object:
    """The merge patch by which the leader goes on."""
    return {"metadata": {"resourceVersion": lease.version}, "spec": {"renewTime": now_micro}}


def release(lease: LeaseView, now_micro: str) -> Object:
    """The merge patch by which the leader steps down, so that nobody has to wait for its Lease to expire."""
    return {
        "metadata": {"resourceVersion": lease.version},
        "spec": {"holderIdentity": "", "renewTime": now_micro},
    }


def is_still_ours(held: LeaseView, seen: LeaseView) -> bool:
    """Whether a Lease that somebody wrote is still that of our own acquisition.

    The name alone is not enough: a process of the same name that was started anew has taken it for itself.
    """
    return (seen.holder, seen.transitions) == (held.holder, held.transitions)


def leader_labels(pods: Iterable[Object], leader: str) -> Mapping[str, Object]:
    """By pod name, the merge patches after which only the leader has the leader's label; the others' come first."""
    patches: dict[str, Object] = {}
    for pod in sorted(pods, key=lambda pod: bool(pod["metadata"]["name"] == leader)):
        meta = pod["metadata"]
        wanted = "true" if meta["name"] == leader else None
        if (meta.get("labels") or {}).get(LABEL_LEADER) != wanted:
            patches[meta["name"]] = {"metadata": {"labels": {LABEL_LEADER: wanted}}}
    return patches
