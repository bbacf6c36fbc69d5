"""The gateway's settings, from `PARKADE_*` in the environment and from flags."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an administrator sets; the API server is in `PARKADE_KUBE_*`."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    door_address: str = Field(default="127.0.0.1", description="Where the door listens for vehicles.")
    door_port: int = Field(default=8443, description="Port of the door; 0 picks a free one.")
    door_cert_file: Path = Field(description="Serving certificate of the door.")
    door_key_file: Path = Field(description="Its key.")
    door_client_ca_file: Path = Field(description="CA of the vehicles' certificates.")
    internal_address: str = Field(default="127.0.0.1", description="Where the operator is served.")
    internal_port: int = Field(default=9443, description="Port for the operator; 0 picks a free one.")
    internal_cert_file: Path = Field(description="Serving certificate of the internal port.")
    internal_key_file: Path = Field(description="Its key.")
    operator_user: str = Field(
        default="system:serviceaccount:parkade-system:parkade-operator",
        description="The one user that may call the internal port.",
    )
    platform_store: str = Field(
        description="URL of the platform store, such as file:///var/lib/parkade/store."
    )
    file_root: Path = Field(
        description="Folder that file:// URIs of batches lie under, one folder a namespace."
    )
    node_address: str = Field(default="127.0.0.1", description="InternalIP of vehicles' Nodes.")
    kubelet_port: int = Field(default=10250, description="Port of the kubelet API, as Nodes name it.")
    beat_seconds: int = Field(default=10, ge=1, description="Longest silence between two telemetry messages.")
    identity: str = Field(default="parkade-gateway", description="Holder of the Nodes' Leases.")
