"""The command line of each program of the control plane."""

import json
from dataclasses import dataclass
from pathlib import Path

from parkade_hack.controlplane.credentials import Credentials
from parkade_hack.processes import free_port

SERVICE_RANGE = "10.0.0.0/24"
ISSUER = "https://kubernetes.default.svc"
AUDIT_LOG = "audit.log"


@dataclass(frozen=True, slots=True)
class Ports:
    """One free loopback port for each listener."""

    etcd_client: int
    etcd_peer: int
    api_server: int
    controller_manager: int
    scheduler: int


def choose_ports() -> Ports:
    """Five ports that are free now and differ."""
    chosen: list[int] = []
    while len(chosen) < len(Ports.__dataclass_fields__):
        port = free_port()
        if port not in chosen:
            chosen.append(port)
    return Ports(*chosen)


def etcd_arguments(ports: Ports, folder: Path) -> list[str]:
    """One member of etcd, with its data in *folder*."""
    client = f"http://127.0.0.1:{ports.etcd_client}"
    peer = f"http://127.0.0.1:{ports.etcd_peer}"
    return [
        "--name=local",
        f"--data-dir={folder}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=local={peer}",
    ]


def audit_arguments(folder: Path) -> list[str]:
    """Makes the API server note every request, with who asked and what was decided, in `folder/audit.log`."""
    policy = folder / "audit-policy.json"
    rules = {"rules": [{"level": "Metadata", "omitStages": ["RequestReceived"]}]}
    policy.write_text(json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy"} | rules))
    return [f"--audit-policy-file={policy}", f"--audit-log-path={folder / AUDIT_LOG}"]


def api_server_arguments(ports: Ports, files: Credentials) -> list[str]:
    """The API server with RBAC, NodeRestriction, kubelet client and front proxy."""
    return [
        f"--etcd-servers=http://127.0.0.1:{ports.etcd_client}",
        "--bind-address=127.0.0.1",
        f"--secure-port={ports.api_server}",
        f"--tls-cert-file={files.serving.cert}",
        f"--tls-private-key-file={files.serving.key}",
        f"--client-ca-file={files.ca.cert}",
        f"--service-account-key-file={files.service_account_public_key}",
        f"--service-account-signing-key-file={files.service_account_key}",
        f"--service-account-issuer={ISSUER}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction,DefaultTolerationSeconds",
        f"--kubelet-client-certificate={files.kubelet_client.cert}",
        f"--kubelet-client-key={files.kubelet_client.key}",
        f"--kubelet-certificate-authority={files.ca.cert}",
        "--shutdown-watch-termination-grace-period=1s",  # without it a stop takes 60 s
        *_front_proxy_arguments(files),
    ]


def _front_proxy_arguments(files: Credentials) -> list[str]:
    return [
        f"--requestheader-client-ca-file={files.front_proxy_ca.cert}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={files.front_proxy.cert}",
        f"--proxy-client-key-file={files.front_proxy.key}",
    ]


def controller_manager_arguments(ports: Ports, files: Credentials, kubeconfig: Path) -> list[str]:
    """The stock controllers, allowed to send more than the default 20 requests a second.

    Those of endpoints are off: pods of the process node have loopback addresses, which the API server allows in no
    endpoint, so they would only try for ever.
    """
    return [
        f"--kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={files.service_account_key}",
        f"--root-ca-file={files.ca.cert}",
        "--controllers=*,-endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller",
        "--use-service-account-credentials=true",
        f"--cluster-signing-cert-file={files.ca.cert}",
        f"--cluster-signing-key-file={files.ca.key}",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        *_component_arguments(ports.controller_manager, files),
    ]


def scheduler_arguments(ports: Ports, files: Credentials, kubeconfig: Path) -> list[str]:
    """The stock scheduler."""
    return [f"--kubeconfig={kubeconfig}", *_component_arguments(ports.scheduler, files)]


def _component_arguments(port: int, files: Credentials) -> list[str]:
    return [
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={files.serving.cert}",
        f"--tls-private-key-file={files.serving.key}",
    ]
