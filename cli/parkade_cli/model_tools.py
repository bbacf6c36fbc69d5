"""What `kubectl parkade model` inspects, signs and verifies: files in, one call of parkade_models, words out."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parkade_cli import model_view
from parkade_cli.output import Output
from parkade_models import verification
from parkade_models.bundle import load_bundle
from parkade_models.checks.sizes import largest_inputs
from parkade_models.inspection import Inspection, inspect_model
from parkade_models.search.evaluation import parse_examples
from parkade_models.signing import sign_bundle
from parkade_models.skeleton import describe as draft


def inspect(path: Path, describe: Path | None, output: Output) -> None:
    """Prints what the ONNX file or the bundle at *path* holds."""
    found: dict[str, Any] = {}
    if path.is_dir():
        bundle = load_bundle(path)
        model = inspect_model(bundle.path(bundle.variant.file), largest_inputs(bundle.manifest))
        found = {"digest": bundle.digest, "manifest": _plain(bundle.manifest)}
    else:
        model = inspect_model(path, {})
    if describe is not None:
        _write_new(describe, json.dumps(_plain(draft(model)), indent=2) + "\n")
    if output is Output.JSON:
        print(json.dumps(found | {"model": model.as_json()}))
    else:
        _show(model, found, describe)


def _show(model: Inspection, found: dict[str, Any], describe: Path | None) -> None:
    console = model_view.console()
    if found:
        console.print(model_view.bundle(found["manifest"], found["digest"]))
    console.print(model_view.inspection(model))
    if describe is not None:
        console.print(
            f"Wrote {describe}: correct what it guesses, and put the files that it names beside it."
        )


def sign(folder: Path, key: Path) -> None:
    """Signs the bundle and prints where the signature is."""
    print(f"Wrote {sign_bundle(folder, key)}")


def verify(folder: Path, keys: Sequence[Path], data: Path | None, output: Output) -> bool:
    """Prints each step of a verification as it is done; whether all were good."""
    examples = [] if data is None else parse_examples(data.read_bytes(), data.name)
    steps = list[verification.Step]()
    for step in verification.verify(folder, keys, examples):
        steps.append(step)
        if output is Output.TEXT:
            print(f"{'ok' if step.is_good else 'NOT OK':7}{step.name:10} {step.sentence}", flush=True)
    is_good = all(step.is_good for step in steps)
    if output is Output.JSON:
        print(json.dumps({"is_good": is_good, "steps": [asdict(step) for step in steps]}))
    return is_good


def _write_new(path: Path, content: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(content)


def _plain(model: Any) -> dict[str, Any]:
    """A pydantic model as plain JSON values."""
    return dict(model.model_dump(mode="json", by_alias=True, exclude_none=True))
