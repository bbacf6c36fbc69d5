"""The gateway's settings, from `PARKADE_*` in the environment and from flags."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from parkade_api.exposition import ExpositionSettings
from parkade_operator.door.authority import RENEWAL_GRACE_SECONDS, VEHICLE_SECONDS
from parkade_operator.kube.leader import CandidateSettings


class Settings(ExpositionSettings, CandidateSettings):
    """What an administrator sets; the API server is in `PARKADE_KUBE_*`."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    door_port: int = Field(default=8443, ge=1, le=65535, description="Port of the vehicles' door.")
    enrolment_port: int = Field(
        default=8444, ge=1, le=65535, description="Port where vehicles get their certificates."
    )
    internal_port: int = Field(default=9443, ge=1, le=65535, description="Port for the operator.")
    kubelet_port: int = Field(default=10250, ge=1, le=65535, description="Port of the kubelet API.")
    door_names: str = Field(
        default="localhost,127.0.0.1",
        pattern=r"^[^,\s]+(,[^,\s]+)*$",
        description="DNS names and IP addresses, comma separated, that our ports' certificate is good for.",
    )
    door_advertised: str = Field(
        default="", description="host:port of the door as vehicles reach it; default: first name and port."
    )
    enrolment_advertised: str = Field(
        default="",
        description="host:port of the enrolment port as vehicles reach it; default: first name and port.",
    )
    operator_user: str = Field(
        default="system:serviceaccount:parkade-system:parkade-operator",
        description="The one user that may call the internal port.",
    )
    simulation_user: str = Field(
        default="system:serviceaccount:parkade-system:parkade-simulation",
        description="The one user whose pods are enrolled as simulated vehicles.",
    )
    simulation_claims: dict[str, str] = Field(
        default={"simulated": "true", "region": "simulated", "hardware": "hw4"},
        description="Claims of simulated vehicles, JSON.",
    )
    certificate_seconds: float = Field(
        default=VEHICLE_SECONDS,
        gt=0,
        description="Life of a vehicle's certificate; it renews after two thirds.",
    )
    renewal_grace_seconds: float = Field(
        default=RENEWAL_GRACE_SECONDS,
        ge=0,
        description="How long after its certificate's end a vehicle may come back by it and its key.",
    )
    platform_store: str = Field(
        description="URL of the platform store, such as file:///var/lib/parkade/store."
    )
    store_retention_seconds: float = Field(
        default=86_400.0,
        ge=3600,
        description="How long the platform store keeps a batch that has ended or was deleted, after its last write.",
    )
    file_root: Path | None = Field(
        default=None,
        description="Folder that file:// URIs of batches lie under, one folder a namespace; default: none is served.",
    )
    node_address: str = Field(default="127.0.0.1", description="InternalIP of vehicles' Nodes.")
    node_owner: str = Field(
        default="",
        description="ClusterRole that owns vehicles' Nodes, so that they go with it; default: nothing owns them.",
    )
    beat_seconds: int = Field(default=10, ge=1, description="Longest silence between two telemetry messages.")

    @property
    def names(self) -> tuple[str, ...]:
        """The names in our ports' certificate; the first is the one that we are called by."""
        return tuple(self.door_names.split(","))
