"""Whether a release works, judged from what `helm test` finds: one finding a question, with the cure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from parkade_api.wellknown import LABEL_POOL, Condition
from parkade_core.leadership import LeaseView

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One question, its answer, and a sentence that says what was seen and, if that is bad, what helps."""

    about: str
    is_well: bool
    sentence: str

    @property
    def line(self) -> str:
        """The finding as it is printed."""
        return f"{'ok' if self.is_well else 'FAILED':6}  {self.about}: {self.sentence}"


def judge_crd(name: str, found: Object | None) -> Finding:
    """Whether the API server serves the kind that the CRD *name* defines."""
    if found is None:
        return Finding(name, False, "it is not installed: helm upgrade with crds.install=true")
    if not _holds(found, "Established"):
        return Finding(name, False, "it is not established: kubectl describe crd says why")
    return Finding(name, True, "it is served")


def judge_leader(name: str, before: LeaseView | None, now: LeaseView | None) -> Finding:
    """Whether somebody leads: the Lease is held, and renewed between the two looks at it."""
    about = f"leader of {name}"
    if now is None:
        return Finding(about, False, f"there is no Lease {name}: helm upgrade makes it anew")
    if not now.holder:
        return Finding(
            about, False, f"nobody holds the Lease {name}: kubectl logs deployment/{name} says why"
        )
    if before is None or (before.holder, before.version) == (now.holder, now.version):
        cure = f"kubectl logs {now.holder} says why"
        return Finding(about, False, f"{now.holder} holds the Lease {name} and does not renew it: {cure}")
    return Finding(about, True, f"{now.holder} leads")


def judge_gateway(address: str, authority: str, answer: str) -> Finding:
    """Whether the gateway serves at *address* under the published CA; *answer* is its health, or what went wrong."""
    about = f"gateway at {address}"
    if not authority:
        return Finding(
            about, False, "it has not published its CA yet: kubectl logs deployment/parkade-gateway"
        )
    if answer != "SERVING":
        cure = "is a pod of it Ready, and does a NetworkPolicy let us through?"
        return Finding(about, False, f"{answer or 'no answer'}: {cure}")
    return Finding(about, True, "it serves, and its certificate is of the published CA")


def judge_vehicles(nodes: Iterable[Object]) -> Finding:
    """How many vehicles have a Node, and how many of them are connected; none is no failure."""
    known = list(nodes)
    connected = sum(_holds(node, Condition.CONNECTIVITY_OK) for node in known)
    poolless = sum(LABEL_POOL not in node["metadata"]["labels"] for node in known)
    said = f"{connected} of {len(known)} are connected"
    if not known:
        said += ": enable simulation, or enrol one with kubectl parkade enroll"
    elif poolless:
        said += f", and {poolless} belong to no pool: apply a VehiclePool that selects them"
    return Finding("vehicles", True, said)


def _holds(item: Object, condition: str) -> bool:
    conditions = (item.get("status") or {}).get("conditions") or ()
    return any(one["type"] == condition and one["status"] == "True" for one in conditions)
