"""When so many vehicles refused a batch's model that none will ever run it.

Only refusals that blame the model count (`Reason.MODEL_REFUSED`); a vehicle that lends too little memory says nothing
about it. And a model that ran anywhere is none that no vehicle can run: whoever asks for shards has loaded it.
"""

from typing import Final

MOST_VEHICLES: Final = 3
MOST_REFUSALS: Final = (
    5  # where there are fewer vehicles: each refusal keeps the vehicle away for longer than the last
)


class RefusalCount:
    """Refusals of one batch's model, one a slot: a vehicle may tell of the same slot again and again."""

    def __init__(self) -> None:
        self._slots: dict[str, str] = {}
        self._asked: set[str] = set()

    def asked(self, vehicle: str) -> None:
        """A vehicle asked for shards of the batch."""
        self._asked.add(vehicle)

    def note(self, vehicle: str, slot: str, message: str) -> str | None:
        """Counts the refusal; a sentence when it is one too many."""
        self._slots[slot] = vehicle
        refusers = set(self._slots.values())
        are_few_alone = len(self._slots) >= MOST_REFUSALS and self._asked <= refusers
        if len(refusers) < MOST_VEHICLES and not are_few_alone:
            return None
        who = f"{len(refusers)} vehicles" if len(refusers) > 1 else f"one vehicle {len(self._slots)} times"
        return f"the model was refused by {who}, last with {message}"
