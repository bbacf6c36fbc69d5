"""The operator's settings, from `PARKADE_*` in the environment and from flags."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from parkade_api.exposition import ExpositionSettings
from parkade_operator.kube.leader import CandidateSettings


class Settings(ExpositionSettings, CandidateSettings):
    """What an administrator sets; the API server is in `PARKADE_KUBE_*`."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    gateway_address: str = Field(
        default="parkade-gateway:9443", description="Host and port of the gateway's internal port."
    )
    gateway_token_file: Path = Field(
        description="Our ServiceAccount's token for the gateway; read at every call."
    )
    node_address: str = Field(
        default="",
        description="InternalIP of vehicles' Nodes where the gateway is no pod; default: its pods' addresses only.",
    )
    interval_milliseconds: int = Field(
        default=1000, ge=50, description="Shortest time between two status writes."
    )
