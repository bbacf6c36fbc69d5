"""The settings of simulated vehicles, from flags and from environment variables PARKADE_*."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from parkade_agent.settings import Layers, Link
from parkade_api.exposition import ExpositionSettings
from parkade_core.enrolment import MOST_SIMULATED


class Settings(ExpositionSettings):
    """What the pod of simulated vehicles is told."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    door_address: str = Field(description="host:port of the gateway's door.")
    enrolment_address: str = Field(description="host:port of the gateway's enrolment port.")
    door_ca_file: Path = Field(
        description="CA of the door, PEM; waited for, because the gateway makes it when it first leads."
    )
    service_account_token_file: Path = Field(
        description="The pod's ServiceAccount token for the audience parkade-enrolment."
    )
    state_dir: Path = Field(description="Folder of this pod alone: identity, bundles and slots.")
    vehicles: int = Field(
        default=1, ge=1, le=MOST_SIMULATED, description="Vehicles, each with an identity of its own."
    )
    recordings: Path | None = Field(
        default=None,
        description="Folder of recordings, <number>.jsonl from 0 on. Default: all stand plugged in and cool.",
    )
    cpu_share: float = Field(default=1.0, gt=0, description="Cores that each lends to a slot, on average.")
    lanes: int = Field(default=1, ge=1, le=64, description="Records that the sidecar runs at once.")
    link: Link = Field(default="ethernet", description="Kind of link that they say they have.")
    allow_missing_sandbox_layers: Layers = Field(
        default=frozenset(),
        description="Walls of the sandbox that this pod may lack, by name, with commas between them.",
    )
