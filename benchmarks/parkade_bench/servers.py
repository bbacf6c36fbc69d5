"""Starts what is measured: our sidecar, and each peer in an environment of its own on loopback."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from parkade_agent.runtime import programs
from parkade_agent.runtime.sandbox.walls import find_sandbox
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_bench.environments import python_of
from parkade_bench.errors import UnavailableError
from parkade_bench.meter import signal_all
from parkade_bench.worker import environment, module
from parkade_core.vehicle.death import Limits
from parkade_hack.proc import family, parents
from parkade_hack.processes import ProcessError, Program, Supervisor, free_port, python_module
from parkade_hack.tools.bubblewrap import ensure_bubblewrap

LANES: Final = 2
_READY_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A model server that is not ours."""

    name: str
    title: str


PEERS: Final = (
    Peer("triton", "Triton (nvidia-pytriton 0.7.0, Python backend, two instances)"),
    Peer("kserve", "KServe SDK 0.21.0 (one process, two threads)"),
    Peer("mlserver", "MLServer 1.7.1 (two worker processes)"),
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server under way."""

    name: str
    pid: int
    target: str


def start_sidecar(supervisor: Supervisor, name: str, bundle: Path, slot: Path) -> Server:
    """Our sidecar on two lanes, started and ready. *slot* is where its shards and its socket lie."""
    program, target = sidecar_program(name, bundle, slot)
    return _start(supervisor, program, target)


def sidecar_program(name: str, bundle: Path, slot: Path) -> tuple[Program, str]:
    """How our sidecar is started, and where it will be found."""
    socket = slot / "sidecar.sock"
    flags = ("--bundle", bundle, "--slot-dir", slot, "--socket", socket, "--lanes", LANES)
    command = python_module("parkade_agent.sidecar", *map(str, flags))
    return Program(name, command, environment()), f"unix:{socket}"


def shut_in_sidecar(name: str, bundle: Path, slot: Path) -> tuple[Program, str]:
    """How the agent starts it: one lane, in the sandbox of this machine, under the limits of a vehicle."""
    work, socket = slot / "work", slot / "sidecar" / "s"
    (work / "empty").mkdir(parents=True)
    socket.parent.mkdir()
    program = programs.sidecar(bundle, work, socket, work / "words", lanes=1, limits=Limits())
    command = find_sandbox(ensure_bubblewrap(), cgroup=None).command(program)
    return Program(name, tuple(command), program.environment()), f"unix:{socket}"


def start_peer(supervisor: Supervisor, peer: Peer, bundle: Path, model: str) -> Server:
    """The peer, started and ready. Raises UnavailableError."""
    python = python_of(peer.name)
    grpc_port, http_port = free_port(), free_port()
    command = module(f"peers.serve_{peer.name}", bundle, model, grpc_port, http_port, python=python)
    return _start(supervisor, Program(peer.name, command, environment()), f"127.0.0.1:{grpc_port}", model)


def end_server(supervisor: Supervisor, server: Server) -> None:
    """Ends the server and every process that it started; a frozen one would not hear that it should."""
    members = family(server.pid, parents())
    signal_all(server.pid, signal.SIGCONT)
    supervisor.stop(server.name)
    for pid in members:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _start(supervisor: Supervisor, program: Program, target: str, model: str = "") -> Server:
    server = Server(program.name, supervisor.start(program), target)
    try:
        with grpc.insecure_channel(target) as channel:
            supervisor.wait_until(program.name, _is_ready(channel, model), _READY_SECONDS)
    except ProcessError as error:
        end_server(supervisor, server)
        raise UnavailableError(str(error)) from None
    return server


def _is_ready(channel: grpc.Channel, model: str) -> Callable[[], bool]:
    stub = oip_grpc.GRPCInferenceServiceStub(channel)

    def ask() -> bool:
        with suppress(grpc.RpcError):
            if not model:
                return bool(stub.ServerReady(oip.ServerReadyRequest(), timeout=1).ready)
            return bool(stub.ModelReady(oip.ModelReadyRequest(name=model), timeout=1).ready)
        return False

    return ask
