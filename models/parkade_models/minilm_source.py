"""What the paraphrase-MiniLM-L3 bundle is made of, told without loading any of it."""

from typing import Final

from parkade_models import sources

NAME: Final = "paraphrase-minilm-l3"

_STEPS: Final = ("minilm.py", "quantize.py", "bundle.py")


def source_digest() -> str:
    """Short hex digest of everything that a build of this bundle depends on."""
    return sources.source_digest(*_STEPS)
