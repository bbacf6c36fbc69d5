"""What every verb of the owner's command line works on."""

from functools import cached_property
from types import TracebackType
from typing import Self

from parkade_agent.errors import AgentError
from parkade_agent.journal.journal import Journal
from parkade_agent.owner.files import OwnerFiles, OwnerFolder
from parkade_agent.owner.keys import vehicle_of
from parkade_agent.owner.presence import is_running
from parkade_agent.owner.receipts import Receipts
from parkade_agent.owner.view import read_view
from parkade_agent.settings import Places


class NoVehicle(AgentError):
    """Nobody knows which vehicle this is."""


class WrongFolder(AgentError):
    """No agent would look into this owner's folder."""


class Desk:
    """One vehicle's places, folder and journal; *vehicle* is its id when it has no certificate yet."""

    def __init__(self, places: Places, vehicle: str = "") -> None:
        self.places = places
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

    @cached_property
    def folder(self) -> OwnerFolder:
        """The owner's folder, which may be missing. Raises WrongFolder when a running agent follows another one."""
        root = self.places.owner
        view = read_view(self.places.guard_view) if is_running(self.places.state_dir) else None
        if view is not None and view.owner not in {"", str(root.resolve())}:
            cure = f"say --owner-dir {view.owner}, or start the agent with the other one"
            raise WrongFolder(f"the agent follows {view.owner}, not {root}: {cure}")
        return OwnerFolder(root)

    @property
    def receipts(self) -> Receipts:
        """What the vehicle signed when it wiped. Raises WrongFolder."""
        return Receipts(self.folder, self.places.certificate, self.places.key)

    @property
    def files(self) -> OwnerFiles:
        """The owner's word; reading a consent may raise what `vehicle` does. Raises WrongFolder."""
        return OwnerFiles(self.folder, lambda: self.vehicle, self.journal)
