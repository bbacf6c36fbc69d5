"""What the sidecar is told when it starts, by flags or by PARKADE_* variables."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from parkade_core.vehicle.death import STANDARD_MEMORY_BYTES


class Settings(BaseSettings):
    """The sidecar: one model bundle served on a unix socket."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    bundle: Path = Field(description="Folder of the model bundle.")
    slot_dir: Path = Field(description="Folder in which shards lie and results are written.")
    socket: Path = Field(description="Unix socket to serve on.")
    lanes: int = Field(default=1, ge=1, le=256, description="Records that run at the same time.")
    memory_bytes: int = Field(
        default=STANDARD_MEMORY_BYTES, gt=0, description="Memory that is lent; whoever starts it enforces it."
    )
    run_cpu_seconds: float = Field(default=60.0, gt=0, description="CPU time that one run may take.")
    last_words: Path | None = Field(default=None, description="File that says at the end why it ended.")
    grace_seconds: float = Field(
        default=0.5, ge=0, le=30, description="How long calls under way may take to finish after SIGTERM."
    )
