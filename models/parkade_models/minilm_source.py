"""What the paraphrase-MiniLM-L3 bundle is made of, told without loading any of it."""

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Final

from parkade_api import bundle

NAME: Final = "paraphrase-minilm-l3"
LOCK_FILE: Final = Path(__file__).parents[2] / "requirements" / "model.txt"

_STEPS: Final = ("minilm.py", "quantize.py", "bundle.py")
_TOOLS: Final = ("onnx", "onnxruntime")


def source_digest() -> str:
    """Short hex digest of everything a build depends on: locked packages, our steps and the tools' versions.

    Raises FileNotFoundError outside a clone of the repository.
    """
    sources = (LOCK_FILE, Path(bundle.__file__), *(Path(__file__).with_name(name) for name in _STEPS))
    content = b"".join(path.read_bytes() for path in sources)
    tools = " ".join(version(name) for name in _TOOLS)
    return hashlib.sha256(content + tools.encode()).hexdigest()[:16]
