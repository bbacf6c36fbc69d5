"""The settings of operator and gateway on a local cluster: own ServiceAccount tokens, never the admin's."""

from dataclasses import dataclass
from pathlib import Path

from parkade_api.wellknown import GATEWAY_AUDIENCE, SYSTEM_NAMESPACE
from parkade_hack.local.tokens import TokenFile
from parkade_hack.pki import Authority, KeyPair, Subject
from parkade_hack.processes import Program, free_port, plain_environment, python_module

LOOPBACK_SUBJECT = Subject("parkade-gateway", dns=("localhost",), addresses=("127.0.0.1",), is_server=True)
OPERATOR = "operator"
GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Places:
    """Every file, folder and port that operator and gateway are told about."""

    kube_server: str
    kube_ca: Path
    door_ca: Path
    door: KeyPair
    internal: KeyPair
    operator_token: TokenFile
    operator_gateway_token: TokenFile
    gateway_token: TokenFile
    platform_store: Path
    file_root: Path
    door_port: int
    internal_port: int

    @property
    def tokens(self) -> tuple[TokenFile, ...]:
        """All token files, to be kept fresh."""
        return (self.operator_token, self.operator_gateway_token, self.gateway_token)


def lay_out(folder: Path, kube_server: str, kube_ca: Path, door_authority: Authority) -> Places:
    """Makes the folders and certificates below *folder* and chooses free ports."""
    tokens, store, file_root = folder / "tokens", folder / "platform-store", folder / "files"
    for place in (tokens, store, file_root):
        place.mkdir(parents=True, exist_ok=True)
    return Places(
        kube_server=kube_server,
        kube_ca=kube_ca,
        door_ca=door_authority.files.cert,
        door=door_authority.issue("door", LOOPBACK_SUBJECT),
        internal=door_authority.issue("internal", LOOPBACK_SUBJECT),
        operator_token=TokenFile(tokens / "operator", "parkade-operator", SYSTEM_NAMESPACE),
        operator_gateway_token=TokenFile(
            tokens / "operator-gateway", "parkade-operator", SYSTEM_NAMESPACE, GATEWAY_AUDIENCE
        ),
        gateway_token=TokenFile(tokens / "gateway", "parkade-gateway", SYSTEM_NAMESPACE),
        platform_store=store,
        file_root=file_root,
        door_port=free_port(),
        internal_port=free_port(),
    )


def operator_program(places: Places) -> Program:
    """The operator, which talks to the API server and to the gateway's internal port."""
    settings = _kube_settings(places, places.operator_token) | {
        "PARKADE_GATEWAY_ADDRESS": f"localhost:{places.internal_port}",
        "PARKADE_GATEWAY_CA_FILE": str(places.door_ca),
        "PARKADE_GATEWAY_TOKEN_FILE": str(places.operator_gateway_token.path),
    }
    return _program(OPERATOR, "parkade_operator.controllers", settings)


def gateway_program(places: Places) -> Program:
    """The gateway with its door, its internal port, the platform store and the file root."""
    settings = _kube_settings(places, places.gateway_token) | {
        "PARKADE_DOOR_PORT": str(places.door_port),
        "PARKADE_DOOR_CERT_FILE": str(places.door.cert),
        "PARKADE_DOOR_KEY_FILE": str(places.door.key),
        "PARKADE_DOOR_CLIENT_CA_FILE": str(places.door_ca),
        "PARKADE_INTERNAL_PORT": str(places.internal_port),
        "PARKADE_INTERNAL_CERT_FILE": str(places.internal.cert),
        "PARKADE_INTERNAL_KEY_FILE": str(places.internal.key),
        "PARKADE_PLATFORM_STORE": places.platform_store.as_uri(),
        "PARKADE_FILE_ROOT": str(places.file_root),
    }
    return _program(GATEWAY, "parkade_operator.gateway", settings)


def _kube_settings(places: Places, token: TokenFile) -> dict[str, str]:
    return {
        "PARKADE_KUBE_SERVER": places.kube_server,
        "PARKADE_KUBE_CA_FILE": str(places.kube_ca),
        "PARKADE_KUBE_TOKEN_FILE": str(token.path),
    }


def _program(name: str, module: str, settings: dict[str, str]) -> Program:
    return Program(name, python_module(module), plain_environment() | settings)
