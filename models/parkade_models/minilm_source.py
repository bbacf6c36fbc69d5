"""What the paraphrase-MiniLM-L3 bundle is made of, told without loading any of it."""

from pathlib import Path
from typing import Final

from parkade_models import sources

NAME: Final = "paraphrase-minilm-l3"
SEARCH_FILE: Final = Path(__file__).with_name("minilm_search.json")
"""What the search for the recipe found: the decision, and the report on all candidates."""

_STEPS: Final = (
    "minilm.py",
    "building.py",
    "graph.py",
    "layers.py",
    "recipes.py",
    "search/output.py",
    "bundle.py",
)


def source_digest() -> str:
    """Short hex digest of everything that a build of this bundle depends on."""
    return sources.source_digest(*_STEPS, SEARCH_FILE.name)
