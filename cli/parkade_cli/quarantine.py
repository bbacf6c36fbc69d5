"""`quarantine` and `release`: whether the cluster trusts a vehicle, written on its Node for the gateway to read."""

from collections.abc import Mapping
from typing import Protocol

from parkade_api.wellknown import ANNOTATION_QUARANTINED, MOST_WHY
from parkade_core.enrolment import problem_of_vehicle
from parkade_core.vehicle.node import node_name


class QuarantineError(Exception):
    """What was asked for cannot be done; the message says why."""


class Nodes(Protocol):
    """The Nodes of vehicles."""

    def annotate(self, node: str, annotations: Mapping[str, str | None]) -> bool:
        """Sets annotations and removes those that are None; False when there is no such Node. Raises ClusterError."""


def quarantine(nodes: Nodes, vehicle: str, why: str) -> None:
    """No new work for *vehicle* until it is released. Raises QuarantineError, ClusterError."""
    if not why.strip() or not why.isprintable() or len(why) > MOST_WHY:
        raise QuarantineError(
            f"--why must be a sentence of 1 to {MOST_WHY} characters: the owner reads it, too"
        )
    _annotate(nodes, vehicle, why)


def release(nodes: Nodes, vehicle: str) -> None:
    """The cluster trusts *vehicle* again. Raises QuarantineError, ClusterError."""
    _annotate(nodes, vehicle, None)


def _annotate(nodes: Nodes, vehicle: str, why: str | None) -> None:
    if (problem := problem_of_vehicle(vehicle)) is not None:
        raise QuarantineError(problem)
    if not nodes.annotate(node_name(vehicle), {ANNOTATION_QUARANTINED: why}):
        raise QuarantineError(
            f"there is no Node {node_name(vehicle)}: a vehicle that was never seen, or is gone, cannot be told apart; "
            f"to keep it out for good: kubectl parkade revoke {vehicle}"
        )
