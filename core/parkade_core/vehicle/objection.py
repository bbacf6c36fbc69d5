"""An objection: what one small policy of PolicyAllows has against work now."""

from dataclasses import dataclass

from parkade_api.wellknown import Reason


@dataclass(frozen=True, slots=True)
class Objection:
    """Why work may not start. *stops*: what runs must stop, too, instead of being let finish.

    *outward* is what the cluster is told instead of a message in the owner's own words; empty: the message itself.
    """

    reason: Reason
    message: str
    remedy: str
    stops: bool = False
    outward: str = ""
