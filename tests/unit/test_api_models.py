"""Durations, resources as users write them, and the manifest of a bundle."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from parkade_api.bundle import MOST_BYTES, SCHEMA, BundleManifest, parse_manifest
from parkade_api.v1alpha1 import InferenceBatch, VehiclePool
from parkade_api.v1alpha1.common import seconds
from support.objects import batch, batch_object, pool

SHA = "ab" * 32


def entry(name: str, size: int = 5) -> dict[str, Any]:
    """One file of a bundle."""
    return {"name": name, "size": size, "sha256": SHA}


def manifest(**changes: Any) -> str:
    """A good bundle.json, but for *changes*."""
    good = {
        "schema": SCHEMA,
        "name": "minilm",
        "version": "1",
        "license": "Apache-2.0",
        "source": "a test",
        "task": "embedding",
        "input": {"kind": "text", "tokenizer": "tokenizer.json", "maxTokens": 128, "tensors": ["input_ids"]},
        "output": {"tensor": "out", "postprocess": "l2"},
        "files": [entry("model.int8.onnx"), entry("tokenizer.json")],
        "variants": [
            {"precision": "INT8", "file": "model.int8.onnx", "requires": "x86-avx2", "recipe": "dynamic"}
        ],
    }
    return json.dumps({key: value for key, value in (good | changes).items() if value is not None})


@pytest.mark.parametrize(
    ("duration", "value"),
    [("0s", 0), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1h1m1s", 3661), ("30m1h", 5400), ("1s1s", 2)],
)
def test_durations(duration: str, value: float) -> None:
    """Hours, minutes and seconds add up."""
    assert seconds(duration) == value


@pytest.mark.parametrize(
    "duration", ["", "10", "s", "10 s", "1d", "1.5h", "-1s", "10s ", "1h30", "1H", "1e3s"]
)
def test_what_is_no_duration_is_refused(duration: str) -> None:
    """The sentence shows what was written and what could be."""
    with pytest.raises(ValueError, match="is not a duration such as 90s, 10m or 1h30m"):
        seconds(duration)


@given(st.integers(0, 999), st.integers(0, 59), st.integers(0, 59))
def test_every_time_can_be_written(hours: int, minutes: int, rest: int) -> None:
    """What is written is what is read."""
    assert seconds(f"{hours}h{minutes}m{rest}s") == 3600 * hours + 60 * minutes + rest


def test_defaults_are_those_of_the_design() -> None:
    """A user who writes only what is needed gets careful rules."""
    rules = pool().spec.eligibility
    assert (rules.min_state_of_charge, rules.resume_state_of_charge, rules.charging) == (60, 65, "Required")
    assert (rules.parked_for, rules.telemetry_stale_after) == ("10m", "30s")
    assert (batch().spec.shard_timeout, batch().spec.sharding.records_per_shard) == ("5m", 100)


def test_unknown_fields_are_ignored() -> None:
    """A newer API server's object is still understood by an older process."""
    item = batch_object(priority=3) | {"apiVersion": "parkade.dev/v1alpha1", "kind": "InferenceBatch"}
    assert InferenceBatch.model_validate(item) == batch()


def test_the_api_speaks_camel_case() -> None:
    """What is written to the API server has the names of the API."""
    written = batch(parallelism=4).model_dump(by_alias=True)["spec"]
    assert (written["parallelism"], written["shardTimeout"]) == (4, "5m")
    assert written["sharding"] == {"strategy": "Records", "recordsPerShard": 100}


@pytest.mark.parametrize(
    "eligibility",
    [
        {"parkedFor": "ten minutes"},
        {"minStateOfCharge": 101},
        {"charging": "Maybe"},
        {"maxComputeCelsius": 1000},
    ],
)
def test_rules_beyond_sense_are_not_understood(eligibility: dict[str, object]) -> None:
    """An object that was stored under an older schema is refused, not misread."""
    item = {"metadata": {"name": "a"}, "spec": {"selector": {}, "eligibility": eligibility}}
    with pytest.raises(ValidationError):
        VehiclePool.model_validate(item)


def test_a_manifest_tells_files_and_variants() -> None:
    """Entries are found by name; what is not there is a KeyError."""
    bundle = BundleManifest.model_validate_json(manifest())
    assert bundle.file("model.int8.onnx").sha256 == SHA
    assert bundle.variant("INT8").file == "model.int8.onnx"
    for look in (lambda: bundle.file("x"), lambda: bundle.variant("FP32")):
        with pytest.raises(KeyError):
            look()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"schema": "parkade.dev/bundle/v2"}, "schema"),
        ({"schema": None}, "schema"),
        ({"name": "Mini LM"}, "name"),
        ({"version": ""}, "version"),
        ({"task": "../chat"}, "task"),
        ({"rowsPerRun": 65}, "rowsPerRun"),
        ({"input": {"kind": "sound"}}, "input"),
        ({"entrypoint": "run.py"}, "entrypoint"),
        ({"files": []}, "files"),
        ({"files": [{"name": "../model.onnx", "size": 5, "sha256": SHA}]}, "files.0.name"),
        ({"files": [{"name": "/etc/passwd", "size": 5, "sha256": SHA}]}, "files.0.name"),
        ({"files": [{"name": "a\n", "size": 5, "sha256": SHA}]}, "files.0.name"),
        ({"files": [{"name": "a", "size": -1, "sha256": SHA}]}, "files.0.size"),
        ({"files": [{"name": "a", "size": 1, "sha256": SHA.upper()}]}, "files.0.sha256"),
        ({"files": [{"name": "a", "size": 1, "sha256": SHA, "url": "x"}]}, "files.0.url"),
        ({"variants": []}, "variants"),
        ({"output": {"tensor": "out", "postprocess": "eval"}}, "output.postprocess"),
    ],
)
def test_a_manifest_that_is_not_one_is_refused(changes: dict[str, Any], field: str) -> None:
    """Nothing unknown, nothing executable, no path out of the bundle; the refusal names the field."""
    with pytest.raises(ValidationError) as raised:
        BundleManifest.model_validate_json(manifest(**changes))
    assert [".".join(map(str, error["loc"])) for error in raised.value.errors()] == [field]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"files": [entry("model.int8.onnx")]},
            "bundle.json speaks of tokenizer.json, which is not among its files",
        ),
        (
            {"files": [entry("tokenizer.json")]},
            "bundle.json speaks of model.int8.onnx, which is not among its files",
        ),
        (
            {"files": [entry(name) for name in ("model.int8.onnx", "tokenizer.json", "tokenizer.json")]},
            "bundle.json lists a file twice, or itself",
        ),
        (
            {"files": [entry(name) for name in ("model.int8.onnx", "tokenizer.json", "bundle.json")]},
            "bundle.json lists a file twice, or itself",
        ),
        (
            {"files": [entry("model.int8.onnx", MOST_BYTES), entry("tokenizer.json")]},
            f"the bundle has {MOST_BYTES + 5} bytes; at most {MOST_BYTES} are taken",
        ),
        (
            {"variants": [{"precision": "FP32", "file": "model.int8.onnx", "requires": "", "recipe": ""}]},
            "the bundle has no INT8 variant",
        ),
        ({"version": 1}, "bundle.json: version: Input should be a valid string"),
        ({"source": None}, "bundle.json: source: Field required"),
    ],
)
def test_a_manifest_whose_parts_do_not_fit_is_refused(changes: dict[str, Any], sentence: str) -> None:
    """Every process reads a manifest with the same eyes and the same one sentence."""
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        parse_manifest(manifest(**changes).encode())


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff"])
def test_what_is_no_manifest_at_all_is_refused(raw: bytes) -> None:
    """Bytes that are no JSON object are told by the name of the file."""
    with pytest.raises(ValueError, match=r"^bundle\.json: the file: "):
        parse_manifest(raw)


def test_a_bundle_to_compare_with_is_asked_for_by_its_precision() -> None:
    """A float32 bundle is a bundle, only not one that vehicles run."""
    variant = {"precision": "FP32", "file": "model.int8.onnx", "requires": "", "recipe": ""}
    assert parse_manifest(manifest(variants=[variant]).encode(), "FP32").variants[0].precision == "FP32"
