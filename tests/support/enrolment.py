"""A local cluster whose certificates live for seconds, the command line on it, and callers of its ports."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
from typer.testing import CliRunner, Result

from parkade_agent.identity.keys import new_key, request_for
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc as rpc
from parkade_api.wellknown import SAN_VEHICLE, SYSTEM_NAMESPACE
from parkade_cli.__main__ import app
from parkade_core.enrolment_token import EnrolmentToken
from parkade_hack.controlplane import ControlPlane, Kubectl
from parkade_hack.local import LocalCluster, Vehicle
from parkade_hack.local.settings import GATEWAY
from parkade_hack.pki import Subject
from parkade_operator.door.limits import ENROLMENTS_OF_ADDRESS

CERTIFICATE_SECONDS = 9
_T = TypeVar("_T")


class ShortLivedCluster(LocalCluster):
    """Vehicles' certificates are good for seconds, so that they are renewed while a test looks on."""

    def __init__(self, folder: Path, control_plane: ControlPlane) -> None:
        super().__init__(folder, control_plane)
        gateway = self._programs[GATEWAY]
        short = {"PARKADE_CERTIFICATE_SECONDS": str(CERTIFICATE_SECONDS)}
        self._programs[GATEWAY] = replace(gateway, environment={**gateway.environment, **short})

    def mint(self, vehicle: str) -> "Identity":
        """A certificate that outlives any test."""
        pair = self._authority.issue(vehicle, Subject(vehicle, uris=(f"{SAN_VEHICLE}{vehicle}",)))
        return Identity(pair.key.read_bytes(), pair.cert.read_bytes())

    def lines(self, name: str, event: str) -> list[dict[str, str]]:
        """What the process called *name* logged as *event*."""
        whole = self.log(name).read_text().rpartition("\n")[0].splitlines()
        found = (json.loads(line) for line in whole if line.startswith("{"))
        return [line for line in found if line.get("event") == event]


@dataclass(frozen=True)
class CommandLine:
    """`kubectl parkade` with one cluster's kubeconfig."""

    kubectl: Kubectl

    def run(self, *arguments: str) -> Result:
        """What the command printed and how it ended. It runs in this process, which has loaded its packages."""
        place = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(place, str(self.kubectl.kubeconfig))
            return CliRunner().invoke(app, arguments)

    def token(self, vehicle: str, *arguments: str) -> str:
        """A fresh token for *vehicle*."""
        done = self.run("enroll", vehicle, *arguments)
        assert done.exit_code == 0, done.output
        return done.stdout


@dataclass(frozen=True)
class Identity:
    """A key and a certificate in hand, PEM."""

    key: bytes
    certificate: bytes


def enrol(shown: EnrolmentToken, *, token: str = "", service_account_token: str = "") -> Identity:
    """Enrols a key of the caller's. Raises grpc.RpcError."""
    key = new_key()
    request = pb.EnrolRequest(csr=request_for(key))
    if token:
        request.token = token
    else:
        request.service_account_token = service_account_token
    credentials = grpc.ssl_channel_credentials(shown.ca.encode())
    with grpc.secure_channel(shown.enrolment, credentials) as channel:
        reply = rpc.EnrolmentStub(channel).Enrol(request, timeout=10)
    return Identity(key, reply.certificate)


def come_back(shown: EnrolmentToken, identity: Identity) -> Identity:
    """Shows a certificate and that one has its key. Raises grpc.RpcError."""
    request = pb.EnrolRequest(csr=request_for(identity.key), expired_certificate=identity.certificate)
    credentials = grpc.ssl_channel_credentials(shown.ca.encode())
    with grpc.secure_channel(shown.enrolment, credentials) as channel:
        return Identity(identity.key, rpc.EnrolmentStub(channel).Enrol(request, timeout=10).certificate)


@contextlib.contextmanager
def fleet(shown: EnrolmentToken, identity: Identity) -> Iterator[rpc.FleetStub]:
    """The door, as whoever has *identity* sees it, on a connection of its own."""
    credentials = grpc.ssl_channel_credentials(shown.ca.encode(), identity.key, identity.certificate)
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(shown.door, credentials, options=options) as channel:
        yield rpc.FleetStub(channel)


def renew(shown: EnrolmentToken, identity: Identity) -> Identity:
    """Renews with another key. Raises grpc.RpcError."""
    key = new_key()
    with fleet(shown, identity) as stub:
        reply = stub.Renew(pb.RenewRequest(csr=request_for(key)), timeout=10)
    return Identity(key, reply.certificate)


def stolen(vehicle: Vehicle) -> Identity:
    """A copy of what the vehicle keeps to itself."""
    folder = vehicle.folder / "state" / "identity"
    return Identity((folder / "key.pem").read_bytes(), (folder / "certificate.pem").read_bytes())


@dataclass
class Thief:
    """Whoever has a copy of a vehicle's identity, and keeps it fresh while that is let."""

    shown: EnrolmentToken
    copy: Identity

    def refused(self) -> grpc.StatusCode | None:
        """Renews the copy; None when it was renewed, or may be a little later; otherwise how it was refused."""
        try:
            self.copy = renew(self.shown, self.copy)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return None if code is grpc.StatusCode.RESOURCE_EXHAUSTED else code
        return None


def crowd(shown: EnrolmentToken, callers: int) -> list[grpc.StatusCode]:
    """What so many callers without a proper request are told at the enrolment port, all at once."""
    credentials = grpc.ssl_channel_credentials(shown.ca.encode())
    with grpc.secure_channel(shown.enrolment, credentials) as channel:
        stub = rpc.EnrolmentStub(channel)
        calls = [stub.Enrol.future(pb.EnrolRequest(csr=b"?")) for _ in range(callers)]
        return [call.code() for call in calls]


def after_a_pause(shown: EnrolmentToken) -> list[grpc.StatusCode]:
    """What a few callers are told who come when there is room for twice as many, by the rate that is allowed."""
    few = 15
    time.sleep(2 * few / ENROLMENTS_OF_ADDRESS.rate)
    return crowd(shown, few)


def refusal(call: Callable[[], _T]) -> tuple[grpc.StatusCode, str]:
    """The status and words with which a call was refused."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("the call was not refused")


def pod_token(cluster: ShortLivedCluster, pod: str, account: str, audience: str) -> str:
    """A token as a kubelet would project it into *pod*."""
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={pod}") if pod else ()
    arguments = ("-n", SYSTEM_NAMESPACE, f"--audience={audience}", *bound)
    return cluster.kubectl("create", "token", account, *arguments).strip()
