"""Settings of the process node; hack sets them all."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the process node keeps its pods and on which ports of the loopback it listens."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_NODE_", frozen=True)

    folder: Path = Field(description="Folder of volumes and logs, one folder a pod.")
    proxy_port: int = Field(description="Port of the HTTP CONNECT proxy that knows the cluster's Services.")
    kubelet_port: int = Field(description="Port on which the API server reads logs.")
    cert_file: Path = Field(description="Serving certificate of that port, signed by the cluster's CA.")
    key_file: Path = Field(description="Its private key.")
