"""A bundle verified step by step, each with a sentence.

Digests, signature, static checks, a load with one run and the answers to the vectors are what a vehicle takes, too;
whether products are computed in integers, and how good the answers are, is looked at only here.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from parkade_api.bundle import SIGNATURE_NAME
from parkade_core.vehicle.death import STANDARD_MEMORY_BYTES
from parkade_models.bundle import Bundle, load_bundle
from parkade_models.checks import check_model
from parkade_models.checks.sizes import largest_inputs
from parkade_models.errors import BundleError, ModelsError
from parkade_models.graph import products
from parkade_models.reproducibility import reproducibility_class
from parkade_models.search.evaluation import DataError, Example, Form
from parkade_models.search.scoring import Judge
from parkade_models.signing import verify_bundle
from parkade_models.tasks import open_task
from parkade_models.tasks.task import Task


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a verification: what was looked at, what was found, and whether that is good."""

    name: str
    sentence: str
    is_good: bool = True


def verify(folder: Path, keys: Sequence[Path], examples: Sequence[Example]) -> Iterator[Step]:
    """The steps in order; after one that is not good no other is taken.

    The signature is verified when there are public *keys*, quality is scored when there are *examples*.
    """
    given = _Verification(folder, keys, examples)
    steps: list[tuple[str, Callable[[], str]]] = [
        ("files", given.files),
        ("signature", given.signature),
        ("checks", given.checks),
        ("load", given.load),
        ("INT8", given.integers),
        ("vectors", given.vectors),
    ]
    if examples:
        steps.append(("quality", given.quality))
    for name, take in steps:
        try:
            yield Step(name, take())
        except ModelsError as error:
            yield Step(name, str(error), is_good=False)
            return


class _Verification:
    """What the steps hand on. Each returns a sentence or raises ModelsError with one."""

    _bundle: Bundle
    _task: Task

    def __init__(self, folder: Path, keys: Sequence[Path], examples: Sequence[Example]) -> None:
        self._folder = folder
        self._keys = keys
        self._examples = examples

    def files(self) -> str:
        self._bundle = load_bundle(self._folder)
        entries = self._bundle.manifest.files
        total = sum(entry.size for entry in entries)
        return f"{len(entries)} files, {total / 1e6:.1f} MB, are what bundle.json says; {self._bundle.digest}"

    def signature(self) -> str:
        path = self._folder / SIGNATURE_NAME
        if not self._keys:
            return "not verified: no public key was given" if path.exists() else "the bundle is unsigned"
        key = verify_bundle(self._folder, path, self._keys)
        return f"signed with the key {key.name}"

    def checks(self) -> str:
        manifest = self._bundle.manifest
        asked = manifest.budget.memoryBytes if manifest.budget is not None else 0
        most_bytes = max(STANDARD_MEMORY_BYTES, asked)
        taken = check_model(self._model.read_bytes(), largest_inputs(manifest), most_bytes)
        return f"one plain graph; its tensors take at most {taken / 1e6:.1f} MB by their shapes"

    def load(self) -> str:
        begun = time.perf_counter()
        self._task = open_task(self._bundle)
        self._task.warm_up()
        return (
            f"task {self._bundle.manifest.task}, loaded and run once in {time.perf_counter() - begun:.2f} s"
        )

    def integers(self) -> str:
        found = products(self._model)
        total = found.integer + found.float
        if total and not found.integer:
            raise BundleError(
                f"weights-only INT8: none of {total} products is computed in integers, so it is no faster than float"
            )
        return f"{found.integer} of {total} products are computed in integers"

    def vectors(self) -> str:
        name = reproducibility_class(self._bundle, self._task)
        return f"reproducibility class {name} on this machine" if name else "the bundle has no vectors"

    def quality(self) -> str:
        judge = Judge(self._examples, ())
        if self._examples[0].form is Form.UNLABELLED:
            raise DataError("data without labels can only be compared with float32: give pairs or labels")
        bodies = [body for example in self._examples for body in example.bodies()]
        value = judge.score([answer for body in bodies for answer in self._task.answers([body])])
        found = f"{judge.metric} {value:.4f} over {len(self._examples)} examples"
        stated = self._bundle.variant.quality
        if stated is None or stated.metric != judge.metric:
            return f"{found}; bundle.json states none to compare with"
        told = f"{found}; bundle.json states {stated.value:.4f} over {stated.records}, float32 {stated.reference:.4f}"
        if self._examples[0].form is Form.PAIRS and stated.records != len(self._examples):
            return f"{told}: among another number of pairs, so nothing follows"
        if value < stated.gate * stated.reference:
            raise BundleError(f"{told}: under the gate of {stated.gate:.0%}")
        return told

    @property
    def _model(self) -> Path:
        return self._bundle.path(self._bundle.variant.file)
