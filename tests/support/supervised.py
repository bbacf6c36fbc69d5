"""Sidecars as the agent runs them: started by its launcher under its limits, their deaths attributed."""

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parkade_agent.runtime.process import RunningProgram
from parkade_agent.runtime.sandbox.program import Program, script_of
from parkade_agent.runtime.sidecar import SidecarLife
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_core.vehicle.death import Death, Limits
from support.programs import sandbox

LIMITS: Final = Limits(load_cpu_seconds=4)
_START_SECONDS: Final = 240
"""Of the clock. What it may take of a CPU is limited by itself, and a busy machine gives it little of one."""


class Supervised:
    """One sidecar on the bundle in *bundle*, beside a folder for it; kill it at the end."""

    def __init__(self, bundle: Path, folder: Path, limits: Limits = LIMITS, **more: object) -> None:
        """*more* are flags of the sidecar."""
        empty = folder / "empty"
        empty.mkdir(parents=True, exist_ok=True)
        self.socket = folder / "s"
        self.life = SidecarLife(folder / "words", limits)
        self.life.begin()
        flags: dict[str, object] = {
            "bundle": bundle,
            "slot-dir": folder,
            "socket": self.socket,
            "last-words": self.life.words,
        }
        flags |= {name.replace("_", "-"): value for name, value in more.items()}
        program = Program(
            script_of("parkade_agent.sidecar"),
            tuple(part for flag, value in flags.items() for part in (f"--{flag}", str(value))),
            folder=empty,
            readable=(bundle,),
            writable=(folder,),
            memory_bytes=limits.memory_bytes,
            cpu_seconds=limits.load_cpu_seconds,
        )
        with (folder / "log").open("wb") as log:
            self.program = RunningProgram(program, sandbox(), log.fileno())

    async def died(self) -> Death:
        """Waits for its end and says why it was."""
        async with asyncio.timeout(_START_SECONDS):
            return self.life.end(await self.program.wait())

    async def kill(self) -> None:
        """Ends it, whatever it does."""
        self.program.signal(signal.SIGKILL)
        await self.program.wait()


@contextlib.contextmanager
def serving(bundle: Path, **more: object) -> Iterator[tuple[Supervised, grpc.Channel]]:
    """A serving sidecar, which is killed afterwards, and a channel to it. *more* are flags."""
    with tempfile.TemporaryDirectory(prefix="pk-") as scratch:
        sidecar = Supervised(bundle, Path(scratch), **more)
        try:
            with grpc.insecure_channel(f"unix:{sidecar.socket}") as channel:
                health = health_pb2_grpc.HealthStub(channel)
                health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=_START_SECONDS)
                sidecar.life.serves()
                yield sidecar, channel
        finally:
            asyncio.run(sidecar.kill())


def answer(channel: grpc.Channel, row: list[float]) -> list[float]:
    """What the good model of the corpus makes of x."""
    request = oip.ModelInferRequest(model_name="small")
    request.inputs.add(name="x", datatype="FP32", shape=[1, len(row)])
    request.raw_input_contents.append(np.array(row, np.float32).tobytes())
    reply = oip_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=_START_SECONDS)
    return list(np.frombuffer(reply.raw_output_contents[0], np.float32).tolist())
