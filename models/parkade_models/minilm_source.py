"""What the paraphrase-MiniLM-L3 bundle is made of, told without loading any of it."""

from pathlib import Path
from typing import Final

from parkade_models import sources

NAME: Final = "paraphrase-minilm-l3"
SEARCH_FILE: Final = Path(__file__).with_name("minilm_search.json")
"""What the search for the recipe found: the decision, and the report on all candidates."""


def source_digest() -> str:
    """Short hex digest of everything that this bundle is made of."""
    return sources.source_digest("minilm.py", SEARCH_FILE.name)
