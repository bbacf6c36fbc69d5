"""What the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Final

_FLAGS: Final = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")


def machine() -> dict[str, str]:
    """The CPU as the kernel names it, and the versions that matter."""
    facts = _facts(Path("/proc/cpuinfo").read_text())
    present = facts.get("flags", "").split()
    return {
        "CPU": facts.get("model name", "unknown"),
        "cores": str(os.cpu_count()),
        "flags": " ".join(flag for flag in _FLAGS if flag in present) or "none of " + " ".join(_FLAGS),
        "kernel": platform.release(),
        "Python": platform.python_version(),
        **{name: version(name) for name in ("onnxruntime", "grpcio", "numpy", "tokenizers")},
    }


def _facts(cpuinfo: str) -> dict[str, str]:
    """The first core's lines."""
    lines = (line.partition(":") for line in cpuinfo.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}
