"""The bundle of the demo is the one that the search found, and still as good."""

import dataclasses
import sysconfig
from pathlib import Path

import orjson
import pytest

from parkade_models.bundle import Bundle
from parkade_models.docstrings import find_documents, sample
from parkade_models.graph import products
from parkade_models.minilm_source import SEARCH_FILE
from parkade_models.search.evaluation import Example
from parkade_models.search.output import Decision
from parkade_models.search.report import Candidate, Verdict, choose, judge
from parkade_models.search.scoring import Judge
from parkade_models.tasks import open_task
from parkade_models.tasks.task import Answer
from support.bundles import MINILM, cached

FOUND = orjson.loads(SEARCH_FILE.read_bytes())
DECISION = Decision.model_validate(FOUND["decision"])
PAIRS = 120

pytestmark = pytest.mark.long(30)


def test_bundle_is_the_recorded_decision(int8_bundle: Bundle) -> None:
    """Recipe, quality, speed, budget, rows and vectors of the bundle are those of the recorded search."""
    manifest = int8_bundle.manifest
    assert int8_bundle.variant == DECISION.variant
    assert (manifest.budget, manifest.rowsPerRun) == (DECISION.budget, DECISION.rows_per_run)
    lines = int8_bundle.path("vectors.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line) for line in lines] == DECISION.vectors


def test_recorded_figures_lead_to_the_recorded_choice() -> None:
    """Judged again, the figures of all candidates give the same verdicts and choice, over 2,000 pairs or more."""
    report = FOUND["report"]
    candidates = [Candidate(**each | {"verdict": Verdict(each["verdict"])}) for each in report["candidates"]]
    again = [judge(each, report["gate"]) if each.ratio and each.speed != 1.0 else each for each in candidates]
    assert list(choose(again)) == candidates
    (chosen,) = (each for each in candidates if each.verdict is Verdict.CHOSEN)
    assert chosen.recipe == DECISION.variant.recipe
    assert (report["metric"], report["gate"]) == ("MRR@10", 0.99)
    assert report["records"] >= 2_000


def test_recorded_recipe_is_what_runs(int8_bundle: Bundle) -> None:
    """The model computes as many products in integers as the record says."""
    (chosen,) = (each for each in FOUND["report"]["candidates"] if each["verdict"] == Verdict.CHOSEN)
    path = int8_bundle.path(int8_bundle.variant.file)
    assert dataclasses.asdict(products(path)) == {
        "integer": chosen["integer_products"],
        "float": chosen["float_products"],
    }
    assert path.stat().st_size == chosen["size"]


def test_gate_holds_on_a_sample(int8_bundle: Bundle) -> None:
    """On some of the standard library's docstrings INT8 finds the bodies as well as float32 does."""
    documents = sample(list(find_documents(Path(sysconfig.get_path("stdlib")))), PAIRS)
    examples = [Example(document.query, match=document.body) for document in documents]
    bodies = [body for example in examples for body in example.bodies()]
    wanted: list[Answer] = open_task(cached(MINILM, "FP32")).answers(bodies)
    judge_ = Judge(examples, wanted)
    assert judge_.score(open_task(int8_bundle).answers(bodies)) >= 0.99 * judge_.score(wanted)
