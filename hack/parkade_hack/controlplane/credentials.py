"""Every key and certificate of one control plane, and the kubeconfigs made of them."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from parkade_hack.pki import Authority, KeyPair, Subject, write_rsa_pair

PROCESS_NODE = "process-node"
LOOPBACK = ("127.0.0.1", "10.0.0.1")
API_SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files that the programs are started with."""

    ca: KeyPair
    front_proxy_ca: KeyPair
    serving: KeyPair
    admin: KeyPair
    controller_manager: KeyPair
    scheduler: KeyPair
    kubelet_client: KeyPair
    front_proxy: KeyPair
    node: KeyPair
    node_serving: KeyPair
    service_account_key: Path
    service_account_public_key: Path


def make_credentials(folder: Path) -> Credentials:
    """Makes two authorities (the cluster's and the aggregator's) and all that they sign, in *folder*."""
    ca = Authority(folder, "parkade-local-cluster")
    front_proxy_ca = Authority(folder / "front-proxy", "parkade-local-front-proxy")
    private, public = write_rsa_pair(folder, "service-account")
    serving = Subject("kube-apiserver", dns=API_SERVER_NAMES, addresses=LOOPBACK, is_server=True)
    node = Subject(f"system:node:{PROCESS_NODE}", "system:nodes")
    return Credentials(
        ca=ca.files,
        front_proxy_ca=front_proxy_ca.files,
        serving=ca.issue("serving", serving),
        admin=ca.issue("admin", Subject("parkade-local-admin", "system:masters")),
        controller_manager=ca.issue("controller-manager", Subject("system:kube-controller-manager")),
        scheduler=ca.issue("scheduler", Subject("system:kube-scheduler")),
        kubelet_client=ca.issue("kubelet-client", Subject("kube-apiserver-kubelet-client")),
        front_proxy=front_proxy_ca.issue("client", Subject("front-proxy-client")),
        node=ca.issue(PROCESS_NODE, node),
        node_serving=ca.issue(
            f"{PROCESS_NODE}-serving", replace(node, addresses=("127.0.0.1",), is_server=True)
        ),
        service_account_key=private,
        service_account_public_key=public,
    )


def write_kubeconfig(path: Path, server: str, ca: Path, client: KeyPair) -> Path:
    """Writes a kubeconfig (JSON, which is YAML) of *client* at *server*."""
    user = {"client-certificate": str(client.cert), "client-key": str(client.key)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": server, "certificate-authority": str(ca)}}],
        "users": [{"name": "local", "user": user}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "local"}}],
        "current-context": "local",
    }
    path.write_text(json.dumps(config, indent=1))
    return path
