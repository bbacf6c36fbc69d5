"""What every verb of the owner's command line works on."""

from types import TracebackType
from typing import Self

from parkade_agent.errors import AgentError
from parkade_agent.journal.journal import Journal
from parkade_agent.owner.files import OwnerFiles, OwnerFolder
from parkade_agent.owner.keys import vehicle_of
from parkade_agent.owner.receipts import Receipts
from parkade_agent.settings import Places


class NoVehicle(AgentError):
    """Nobody knows which vehicle this is."""


class Desk:
    """One vehicle's places, folder and journal; *vehicle* is its id when it has no certificate yet."""

    def __init__(self, places: Places, vehicle: str = "") -> None:
        self.places = places
        self.folder = OwnerFolder(places.owner)
        self.receipts = Receipts(self.folder, places.certificate, places.key)
        self.journal = Journal(places.journal)
        self._vehicle = vehicle

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.journal.close()

    @property
    def vehicle(self) -> str:
        """The vehicle's id, from its certificate. Raises NoVehicle, BadKey."""
        try:
            return vehicle_of(self.places.certificate.read_bytes())
        except FileNotFoundError:
            if self._vehicle:
                return self._vehicle
            raise NoVehicle("the vehicle has no certificate yet: enrol it, or say --vehicle ID") from None

    @property
    def files(self) -> OwnerFiles:
        """The owner's word of this vehicle. Raises NoVehicle, BadKey."""
        return OwnerFiles(self.folder, self.vehicle, self.journal)
