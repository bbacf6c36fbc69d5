"""What the runner is told when it starts, by flags or by PARKADE_* variables."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The runner: the loop between the agent and the sidecar of one slot."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    agent_socket: Path = Field(description="Unix socket on which the agent serves parkade.vehicle.v1.Slot.")
    slot_secret: SecretStr = Field(description="By which the agent knows this runner.")
    sidecar_socket: Path = Field(description="Unix socket of the sidecar.")
