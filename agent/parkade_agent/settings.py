"""The agent's settings, from flags and from environment variables PARKADE_*."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from parkade_agent.folders import socket_folder
from parkade_agent.runtime.sandbox.layers import Layer
from parkade_api.exposition import ExpositionSettings
from parkade_core.vehicle.death import STANDARD_LOAD_CPU_SECONDS, STANDARD_MEMORY_BYTES


def _names(value: object) -> object:
    return [name for name in value.split(",") if name] if isinstance(value, str) else value


Layers = Annotated[frozenset[Layer], NoDecode, BeforeValidator(_names)]
"""Walls of the sandbox by name, with commas between them."""

Link = Literal["wifi", "ethernet", "cellular"]
"""Kind of a vehicle's link."""


class Places(BaseSettings):
    """Where a vehicle keeps what is its own: what the agent and its owner's command line both must know."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    state_dir: Path = Field(
        description="Folder of this vehicle alone: identity, journal, slots, results, bundles, and the owner's word."
    )
    owner_dir: Path | None = Field(
        default=None, description="Folder of the owner's word (docs/owner.md); default: in the state folder."
    )
    cert_file: Path | None = Field(
        default=None, description="This vehicle's certificate, PEM; default: in the state folder."
    )
    key_file: Path | None = Field(
        default=None, description="Key of the certificate, PEM; default: in the state folder."
    )

    @property
    def certificate(self) -> Path:
        """Where the vehicle's certificate is kept."""
        return self.cert_file or self.state_dir / "identity" / "certificate.pem"

    @property
    def key(self) -> Path:
        """Where the key of the certificate is kept."""
        return self.key_file or self.state_dir / "identity" / "key.pem"

    @property
    def owner(self) -> Path:
        """Where the owner's word stands."""
        return self.owner_dir or self.state_dir / "owner"

    @property
    def journal(self) -> Path:
        """Where the vehicle notes what it must not forget."""
        return self.state_dir / "journal.sqlite"

    @property
    def of_others(self) -> tuple[Path, ...]:
        """Folders of what others have brought into the vehicle: what a wipe empties."""
        kept = (self.state_dir / name for name in ("slots", "results", "bundles"))
        return (*kept, socket_folder(self.state_dir) / "sidecar")

    @property
    def guard_view(self) -> Path:
        """Where the agent shows what its guard decided, for `parkade-agent explain`."""
        return self.state_dir / "guard.json"


class Settings(Places, ExpositionSettings):
    """What one vehicle's agent must be told; flags come before the environment.

    With a verb the owner asks instead: parkade-agent explain, status, pause, resume, owner, consent.
    """

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    door_address: str = Field(
        default="", description="host:port of the gateway's door; default: the token's."
    )
    enrolment_address: str = Field(
        default="",
        description="host:port where a certificate that expired in a long absence is renewed; default: the token's.",
    )
    door_ca_file: Path | None = Field(
        default=None, description="CA that signed the door's certificate, PEM; default: the token's."
    )
    enrolment_token_file: Path | None = Field(
        default=None, description="File with a token of `kubectl parkade enroll`, looked at again and again."
    )
    signals_file: Path | None = Field(
        default=None, description="Script of this vehicle's signals, JSON lines; it is followed."
    )
    kuksa_address: str = Field(
        default="", description="host:port of the vehicle's KUKSA databroker; this or a script, not both."
    )
    kuksa_ca_file: Path | None = Field(
        default=None, description="CA that signed the broker's certificate, PEM. Default: no TLS."
    )
    kuksa_server_name: str = Field(
        default="", description="Name in the broker's certificate. Default: the host of its address."
    )
    kuksa_token_file: Path | None = Field(
        default=None, description="File with the JWT that the broker asks for, read at each connection."
    )
    publishers: Path | None = Field(
        default=None,
        description="Folder of publishers' public keys, *.pem; only what they signed runs. Default: anybody's.",
    )
    bwrap: Path | None = Field(default=None, description="The program bubblewrap; default: bwrap of PATH.")
    allow_missing_sandbox_layers: Layers = Field(
        default=frozenset(),
        description="Walls of the sandbox that this vehicle may lack, by name, with commas between them.",
    )
    cpu_share: float = Field(default=1.0, gt=0, description="Cores lent to a slot, on average.")
    lanes: int = Field(default=1, ge=1, le=64, description="Records that the sidecar runs at once.")
    memory_bytes: int = Field(
        default=STANDARD_MEMORY_BYTES,
        ge=256 << 20,
        description="Memory lent to each of a slot's two programs.",
    )
    watts_per_core: float = Field(
        default=10.0, gt=0, description="Power of a core at work, where the platform does not measure it."
    )
    link: Link | None = Field(
        default=None,
        description="Kind of the vehicle's link, where its computer cannot see it. Default: it looks.",
    )
    time_zone: str = Field(
        default="", description="IANA name of the vehicle's time zone. Default: that of its computer."
    )
    load_cpu_seconds: int = Field(
        default=STANDARD_LOAD_CPU_SECONDS,
        ge=1,
        description="CPU time in which a model must be loaded and run once.",
    )
    beat_seconds: float = Field(
        default=10.0, gt=0, description="Longest silence between two telemetry messages."
    )

    @model_validator(mode="after")
    def _has_one_source_of_signals(self) -> Self:
        if (self.signals_file is None) == (not self.kuksa_address):
            given = "neither is" if self.signals_file is None else "both are"
            raise ValueError(f"signals come from PARKADE_KUKSA_ADDRESS or PARKADE_SIGNALS_FILE; {given} set")
        return self

    @property
    def enrolment_record(self) -> Path:
        """Where is noted what the vehicle was enrolled with."""
        return self.state_dir / "identity" / "enrolment.json"
