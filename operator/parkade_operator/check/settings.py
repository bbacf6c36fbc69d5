"""The settings of `parkade-check`, from `PARKADE_*` in the environment and from flags."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from parkade_api.wellknown import GATEWAY, SYSTEM_NAMESPACE


class Settings(BaseSettings):
    """Which release is looked at; the API server is in `PARKADE_KUBE_*`."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    namespace: str = Field(default=SYSTEM_NAMESPACE, description="Namespace of the release.")
    gateway_address: str = Field(
        default=f"{GATEWAY}.{SYSTEM_NAMESPACE}.svc:9443",
        description="Host and port of the gateway's internal port.",
    )
    patience_seconds: float = Field(
        default=60.0, ge=0, description="How long to look again before a failure counts."
    )
