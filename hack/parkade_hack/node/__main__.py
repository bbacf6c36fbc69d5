"""`python -m parkade_hack.node`: one Node whose pods are local processes, until SIGTERM."""

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from parkade_api.logs import configure_logs
from parkade_api.settings import load
from parkade_api.stopping import told_to_stop
from parkade_hack.controlplane.credentials import PROCESS_NODE
from parkade_hack.node.follow import ObjectCache
from parkade_hack.node.network import Network
from parkade_hack.node.pod import Surroundings
from parkade_hack.node.provider import Processes
from parkade_hack.node.settings import Settings
from parkade_hack.node.status import DESIRE, HOST, RULES, process_nodes
from parkade_hack.processes import plain_environment
from parkade_operator.kube.client import Access, KubeClient
from parkade_operator.kube.events import EventRecorder
from parkade_operator.kubelet.api import KubeletApi
from parkade_operator.kubelet.callers import Callers, tls_of
from parkade_operator.kubelet.nodes import NodeController
from parkade_operator.kubelet.pods import PodController

STOP_GRACE_SECONDS = 5.0
_log = structlog.get_logger()


def main() -> None:
    """Runs the process node; exit code 0 after SIGTERM."""
    configure_logs(PROCESS_NODE)
    asyncio.run(_run(load(Settings, PROCESS_NODE), Access()))


async def _run(settings: Settings, access: Access) -> None:
    stopping = told_to_stop()
    client = KubeClient(access)
    events = EventRecorder(client, PROCESS_NODE)
    node = NodeController(client, PROCESS_NODE, process_nodes(settings.kubelet_port), _nothing)
    pods = PodController(
        client, lambda name: name == PROCESS_NODE, RULES, events, _nothing, node=PROCESS_NODE
    )
    shared = Surroundings(
        client, ObjectCache(client), Path(sys.executable).parent, _environment(settings, access)
    )
    processes = Processes(pods, settings.folder, shared)
    pods.serve(processes)
    network = Network(client, pods.bound)
    logs = await _serve_logs(settings, access, processes, client)
    node.desire(PROCESS_NODE, DESIRE)
    parts = (node.watch(), node.work(), node.renew(), pods.watch(), pods.work(), processes.watch_memory())
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in (*parts, network.serve(HOST, settings.proxy_port))]
        await stopping.wait()
        await processes.stop_all(STOP_GRACE_SECONDS)
        for task in tasks:
            task.cancel()
    await logs.stop()
    await client.close()
    _log.info("stopped")


async def _serve_logs(
    settings: Settings, access: Access, processes: Processes, client: KubeClient
) -> KubeletApi:
    tls = tls_of(access.ca_file.read_text())
    tls.load_cert_chain(settings.cert_file, settings.key_file)
    logs = KubeletApi(processes, Callers(client))
    await logs.start(HOST, settings.kubelet_port, tls)
    return logs


def _environment(settings: Settings, access: Access) -> dict[str, str]:
    """What every process is told besides its own variables."""
    server = urlsplit(access.server)
    return plain_environment() | {
        "KUBERNETES_SERVICE_HOST": str(server.hostname),
        "KUBERNETES_SERVICE_PORT": str(server.port),
        "https_proxy": f"http://{HOST}:{settings.proxy_port}",
        "no_proxy": f"{HOST},localhost",
    }


def _nothing() -> None:
    """Nobody waits for changes."""


if __name__ == "__main__":
    main()
