"""What an idle agent has in its vehicle's memory."""

import os
import subprocess
import sys

import pytest

from parkade_agent.footprint import unwritten

_IDLE = (
    "rich.console",
    "numpy",
    "onnx",
    "onnxruntime",
    "tokenizers",
    "PIL",
    "model_signing",
    "sigstore",
    "pygments",
)
_ASKED = ("rich.console", "grpc", "numpy", "onnxruntime", "model_signing")
_GIVES_BACK = """
import hashlib, sqlite3, ssl
from pathlib import Path
import grpc
from parkade_agent.footprint import give_back_code

def mapped():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssFile")))

before = mapped()
give_back_code()
after = mapped()
channel = grpc.insecure_channel("127.0.0.1:1")
sqlite3.connect(":memory:").execute("SELECT 1")
ssl.create_default_context()
channel.close()
print(before, after, hashlib.sha256(b"").hexdigest()[:8])
"""


_MAPS = """\
10000-11000 r-xp 00000000 fe:00 123                       /usr/lib/libone.so
Size:                  4 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me sd
20000-21000 r--p 00000000 fe:00 123                       /usr/lib/libone.so
Size:                  4 kB
Anonymous:             0 kB
Swap:                  4 kB
VmFlags: rd mr mw me ac sd
30000-31000 rw-p 00000000 fe:00 123                       /usr/lib/libone.so
VmFlags: rd wr mr mw me ac sd
40000-41000 r--p 00000000 00:00 0                         [vvar]
VmFlags: rd mr pf io de dd sd
50000-51000 r--s 00000000 fe:00 124                       /usr/lib/cache
VmFlags: rd mr me ms sd
60000-63000 r--p 00000000 fe:00 125                       /a name with blanks
VmFlags: rd mr mw me sd
"""


def imported(*verb: str) -> set[str]:
    """The modules that `parkade-agent` *verb* has imported when it asks for its settings, which are missing."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PARKADE_")}
    command = [sys.executable, "-X", "importtime", "-m", "parkade_agent", *verb]
    done = subprocess.run(command, env=plain, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr[-500:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize(("verb", "unneeded"), [((), _IDLE), (("status",), _ASKED)], ids=["agent", "owner"])
def test_nothing_is_imported_in_vain(verb: tuple[str, ...], unneeded: tuple[str, ...]) -> None:
    """The agent has no library of models in its memory, its owner's command line no gRPC, and neither has rich."""
    found = imported(*verb)
    assert "structlog" in found
    assert not found.intersection(unneeded)


def test_what_was_ever_written_stays() -> None:
    """Relocated pages look unwritten once they are swapped out; only what could never be written goes."""
    assert list(unwritten(_MAPS)) == [(0x10000, 0x11000), (0x60000, 0x63000)]


def test_what_was_given_back_comes_back() -> None:
    """Half of what is mapped of libraries goes at least, and each of them works on."""
    done = subprocess.run([sys.executable, "-c", _GIVES_BACK], capture_output=True, text=True, check=True)
    before, after, digest = done.stdout.split()
    assert int(after) < int(before) / 2
    assert digest == "e3b0c442"
