"""What the sidecar is told when it starts, by flags or by PARKADE_* variables."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The sidecar: one model bundle served on a unix socket."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    bundle: Path = Field(description="Folder of the model bundle.")
    slot_dir: Path = Field(description="Folder in which shards lie and results are written.")
    socket: Path = Field(description="Unix socket to serve on.")
    lanes: int = Field(default=1, ge=1, le=256, description="Records that run at the same time.")
    grace_seconds: float = Field(
        default=0.5, ge=0, le=30, description="How long calls under way may take to finish after SIGTERM."
    )
