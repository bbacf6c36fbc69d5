"""An objection: what one small policy of PolicyAllows, or consent, has against work now."""

from dataclasses import dataclass

from parkade_api.wellknown import Reason


@dataclass(frozen=True, slots=True)
class Objection:
    """Why work may not start. *stops*: what runs must stop, too, instead of being let finish.

    *outward* is what the cluster is told instead of a message with the owner's own words, hours, plans or places, or
    with a path of the vehicle; empty: the message itself.
    """

    reason: Reason
    message: str
    remedy: str
    stops: bool = False
    outward: str = ""

    @property
    def told(self) -> str:
        """What the cluster is told."""
        return self.outward or self.message

    @property
    def told_remedy(self) -> str:
        """What the cluster is told to do about it; nothing where the owner's hours or places can be read from it."""
        return "" if self.outward else self.remedy
