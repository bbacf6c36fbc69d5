"""The agent's settings, from flags and from environment variables PARKADE_*."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What one vehicle's agent must be told; flags come before the environment."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    door_address: str = Field(description="host:port of the gateway's door.")
    door_ca_file: Path = Field(description="CA that signed the door's certificate, PEM.")
    cert_file: Path = Field(description="This vehicle's certificate, PEM.")
    key_file: Path = Field(description="Key of the certificate, PEM.")
    signals_file: Path = Field(description="Script of this vehicle's signals, JSON lines; it is followed.")
    state_dir: Path = Field(description="Folder of this vehicle alone: bundles and slots.")
    cpu_share: float = Field(default=1.0, gt=0, description="Cores lent to a slot, on average.")
    lanes: int = Field(default=1, ge=1, le=64, description="Records that the sidecar runs at once.")
    beat_seconds: float = Field(
        default=10.0, gt=0, description="Longest silence between two telemetry messages."
    )
