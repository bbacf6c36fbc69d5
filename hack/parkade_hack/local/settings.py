"""The settings of operator and gateway on a local cluster: own ServiceAccount tokens, never the admin's."""

from dataclasses import dataclass, field
from pathlib import Path

from parkade_api.wellknown import GATEWAY as GATEWAY_NAME
from parkade_api.wellknown import GATEWAY_AUDIENCE, SYSTEM_NAMESPACE
from parkade_hack.local.tokens import TokenFile
from parkade_hack.processes import Program, free_port, plain_environment, python_module

OPERATOR = "operator"
GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one gateway, each chosen free when it was made."""

    door: int = field(default_factory=free_port)
    enrolment: int = field(default_factory=free_port)
    internal: int = field(default_factory=free_port)
    kubelet: int = field(default_factory=free_port)


@dataclass(frozen=True, slots=True)
class Places:
    """Every file and folder that operator and gateway are told about."""

    kube_server: str
    kube_ca: Path
    operator_token: TokenFile
    operator_gateway_token: TokenFile
    gateway_token: TokenFile
    platform_store: Path
    file_root: Path

    @property
    def tokens(self) -> tuple[TokenFile, ...]:
        """All token files, to be kept fresh."""
        return (self.operator_token, self.operator_gateway_token, self.gateway_token)


def lay_out(folder: Path, kube_server: str, kube_ca: Path) -> Places:
    """Makes the folders below *folder*."""
    tokens, store, file_root = folder / "tokens", folder / "platform-store", folder / "files"
    for place in (tokens, store, file_root):
        place.mkdir(parents=True, exist_ok=True)
    return Places(
        kube_server=kube_server,
        kube_ca=kube_ca,
        operator_token=TokenFile(tokens / "operator", "parkade-operator", SYSTEM_NAMESPACE),
        operator_gateway_token=TokenFile(
            tokens / "operator-gateway", "parkade-operator", SYSTEM_NAMESPACE, GATEWAY_AUDIENCE
        ),
        gateway_token=TokenFile(tokens / "gateway", "parkade-gateway", SYSTEM_NAMESPACE),
        platform_store=store,
        file_root=file_root,
    )


def operator_program(name: str, places: Places, internal_port: int, metrics_port: int) -> Program:
    """An operator, which talks to the API server and to the gateway at *internal_port*."""
    settings = _common_settings(name, places, places.operator_token, metrics_port) | {
        "PARKADE_GATEWAY_ADDRESS": f"localhost:{internal_port}",
        "PARKADE_GATEWAY_TOKEN_FILE": str(places.operator_gateway_token.path),
        "PARKADE_NODE_ADDRESS": "127.0.0.1",
    }
    return _program(name, "parkade_operator.controllers", settings)


def gateway_program(name: str, places: Places, own: Ports, reached_at: Ports, metrics_port: int) -> Program:
    """A gateway with its *own* ports; vehicles are told that they reach it at others."""
    settings = _common_settings(name, places, places.gateway_token, metrics_port) | {
        "PARKADE_DOOR_PORT": str(own.door),
        "PARKADE_ENROLMENT_PORT": str(own.enrolment),
        "PARKADE_INTERNAL_PORT": str(own.internal),
        "PARKADE_KUBELET_PORT": str(own.kubelet),
        "PARKADE_DOOR_NAMES": "localhost,127.0.0.1",
        "PARKADE_DOOR_ADVERTISED": f"localhost:{reached_at.door}",
        "PARKADE_ENROLMENT_ADVERTISED": f"localhost:{reached_at.enrolment}",
        "PARKADE_NODE_OWNER": GATEWAY_NAME,
        "PARKADE_PLATFORM_STORE": places.platform_store.as_uri(),
        "PARKADE_FILE_ROOT": str(places.file_root),
    }
    return _program(name, "parkade_operator.gateway", settings)


def _common_settings(name: str, places: Places, token: TokenFile, metrics_port: int) -> dict[str, str]:
    return {
        "PARKADE_KUBE_SERVER": places.kube_server,
        "PARKADE_KUBE_CA_FILE": str(places.kube_ca),
        "PARKADE_KUBE_TOKEN_FILE": str(token.path),
        "PARKADE_NAMESPACE": SYSTEM_NAMESPACE,
        "PARKADE_IDENTITY": name,
        "PARKADE_METRICS_PORT": str(metrics_port),
    }


def _program(name: str, module: str, settings: dict[str, str]) -> Program:
    return Program(name, python_module(module), plain_environment() | settings)
