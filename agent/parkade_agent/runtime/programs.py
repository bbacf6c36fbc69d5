"""The programs of a slot: what each is told, what of the vehicle it sees, and what it may write."""

from pathlib import Path
from typing import Final

from parkade_agent.runtime.sandbox.program import Program, script_of
from parkade_core.vehicle.death import Limits

_VERIFIER_CPU_SECONDS: Final = 120  # many times what the largest bundle takes to hash


def sidecar(bundle: Path, work: Path, socket: Path, words: Path, lanes: int, limits: Limits) -> Program:
    """It reads *bundle*, writes in *work*, and serves on *socket*, alone in a folder that it may write."""
    return Program(
        script_of("parkade_agent.sidecar"),
        _flags(
            bundle=bundle,
            slot_dir=work,
            socket=socket,
            lanes=lanes,
            memory_bytes=limits.memory_bytes,
            last_words=words,
        ),
        # onnxruntime looks in the working folder for whatever a model says is outside of its own file.
        folder=work / "empty",
        readable=(bundle,),
        writable=(work, socket.parent),
        memory_bytes=limits.memory_bytes,
        cpu_seconds=limits.load_cpu_seconds,
    )


def runner(work: Path, agent: Path, sidecar: Path, limits: Limits, secret: str) -> Program:
    """It speaks with the agent, which knows it by *secret*, and the sidecar on their sockets, and touches no file."""
    return Program(
        script_of("parkade_agent.runner"),
        _flags(agent_socket=agent, sidecar_socket=sidecar),
        folder=work / "empty",
        # The sidecar makes its socket anew when it is started again.
        readable=(agent, sidecar.parent),
        memory_bytes=limits.memory_bytes,
        secrets={"PARKADE_SLOT_SECRET": secret},
    )


def verifier(bundle: Path, signature: Path, keys: list[Path]) -> Program:
    """It reads a bundle, its signature and publishers' keys, and prints its verdict."""
    files = (bundle, signature, *keys)
    return Program(
        script_of("parkade_models.signing"),
        tuple(map(str, files)),
        folder=bundle,
        readable=files,
        cpu_seconds=_VERIFIER_CPU_SECONDS,
    )


def _flags(**flags: object) -> tuple[str, ...]:
    return tuple(
        part for flag, value in flags.items() for part in (f"--{flag.replace('_', '-')}", str(value))
    )
