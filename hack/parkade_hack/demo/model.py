"""Makes what the batch needs: a signed INT8 bundle of a real model, real documents, and three lines that are wrong."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parkade_api.bundle import MANIFEST_NAME, parse_manifest
from parkade_hack.demo.stage import DemoError, Stage
from parkade_hack.pki import write_publisher_pair
from parkade_hack.processes import python_module
from parkade_models.cache import cache_folder
from parkade_models.minilm_source import source_digest

BROKEN_LINES = (
    b'{"custom_id": "cut off", "method": "POST", "url": "/v1/embeddings", "body": {"inp\n'
    b'{"method": "POST", "url": "/v1/embeddings", "body": {"input": "a record without a name"}}\n'
    b'{"custom_id": "nothing said", "method": "POST", "url": "/v1/embeddings", "body": {"input": ""}}\n'
)


@dataclass(frozen=True, slots=True)
class Material:
    """A bundle with its digest, the well-formed documents, and the batch's input: those and the broken lines.

    *publishers* is the folder of the key that the bundle was signed with.
    """

    bundle: Path
    digest: str
    publishers: Path
    documents: Path
    batch_input: Path


def make_material(stage: Stage) -> Material:
    """Builds the bundle (its packages are fetched once) and the documents."""
    stage.title("A real model and real documents")
    bundle = stage.folder / "bundle"
    digest = run_module(stage, "parkade_models.minilm", str(bundle)).strip()
    documents = stage.folder / "documents.jsonl"
    run_module(stage, "parkade_models.docstrings", str(documents))
    lines = documents.read_bytes()
    batch_input = stage.folder / "docs.jsonl"
    batch_input.write_bytes(lines + BROKEN_LINES)
    stage.say(
        f"INT8 bundle {digest[:19]}..., {len(lines.splitlines())} docstrings of Python's library, 3 broken lines"
    )
    stage.say(_recipe(bundle))
    return Material(bundle, digest, _sign(stage, bundle), documents, batch_input)


def _recipe(bundle: Path) -> str:
    """How the model became INT8, and what that cost, as the search of recipes found it."""
    variant = parse_manifest((bundle / MANIFEST_NAME).read_bytes()).variant("INT8")
    if variant.quality is None or variant.speed is None:
        raise DemoError("the bundle does not say how good it is")
    quality = variant.quality
    share = quality.value / quality.reference
    return (
        f"recipe of the search: {variant.recipe}; {share:.1%} of float32's {quality.metric} on {quality.records}"
        f" records, {variant.speed:.1f} times its speed"
    )


def _sign(stage: Stage, bundle: Path) -> Path:
    """Signs the bundle with a new key; the folder by which vehicles know it."""
    private, public = write_publisher_pair(stage.folder / "keys")
    run_module(stage, "parkade_cli", "model", "sign", str(bundle), "--key", str(private))
    stage.say("signed with our publisher's key")
    return public.parent


def exact_bundle(stage: Stage) -> Path:
    """The same model unquantized, built into the cache folder once for the same sources and tools."""
    folder = cache_folder() / "models" / f"minilm-fp32-{source_digest()}"
    if not (folder / "bundle.json").exists():
        run_module(stage, "parkade_models.minilm", str(folder), "--precision", "FP32")
    return folder


def run_module(stage: Stage, module: str, *arguments: str) -> str:
    """What `python -m module` prints; its progress goes to a log. Raises DemoError when it fails."""
    return run(stage, module.rpartition(".")[2], python_module(module, *arguments))


def run(stage: Stage, name: str, command: Sequence[str]) -> str:
    """What *command* prints; its progress goes to a log. Raises DemoError when it fails."""
    log = stage.folder / f"{name}.log"
    with log.open("ab") as progress:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=progress, check=False
        )
    if done.returncode != 0:
        raise DemoError(f"{name} failed: {log.read_text()[-2000:]}{done.stdout.decode()[-2000:]}")
    return done.stdout.decode()
