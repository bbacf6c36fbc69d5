"""Manifests that the API server shall refuse, each with the words that help, and their accepted neighbours."""

from parkade_api.wellknown import API_VERSION
from support.admission import Object
from support.pool_manifests import ACCEPTED_POOLS, REFUSED_POOLS, pool

DIGEST = "sha256:" + "0" * 64
MODEL = {"uri": "file:///model", "digest": DIGEST}


def batch(name: str = "docs", **spec: object) -> Object:
    """A batch that is accepted; *spec* replaces parts of it, None removes one."""
    base: Object = {
        "poolRefs": ["garage"],
        "model": MODEL,
        "input": {"uri": "file:///docs.jsonl"},
        "output": {"uri": "file:///out"},
    }
    return _manifest("InferenceBatch", name, base | spec)


def _manifest(kind: str, name: str, spec: Object) -> Object:
    given = {key: value for key, value in spec.items() if value is not None}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": given}


def with_input(uri: str, **parts: object) -> Object:
    """A batch with that input."""
    return batch(input={"uri": uri} | parts)


_FILE_URI = "no host, query, empty part, '.' or '..'"
_DURATION = "write a duration in h, m and s, such as 90s, 10m or 1h30m"
_DIGEST = "`sha256sum bundle.json` prints it"

# What is wrong, the field that is named, and the words that help.
REFUSED: dict[str, tuple[Object, str, str]] = {
    **REFUSED_POOLS,
    "no digest": (batch(model={"uri": "file:///model"}), "spec.model:", _DIGEST),
    "short digest": (batch(model=MODEL | {"digest": "sha256:12"}), "spec.model:", _DIGEST),
    "digest in capitals": (batch(model=MODEL | {"digest": "sha256:" + "AB" * 32}), "spec.model:", _DIGEST),
    "input digest": (with_input("file:///a", digest="md5:1"), "spec.input.digest", "`sha256sum FILE` prints"),
    "no pools": (batch(poolRefs=None), "spec:", "set exactly one of poolRefs and poolSelector"),
    "two kinds of pools": (batch(poolSelector={}), "spec:", "set exactly one of poolRefs and poolSelector"),
    "empty list of pools": (batch(poolRefs=[]), "spec.poolRefs", "at least 1 items"),
    "a pool twice": (batch(poolRefs=["a", "a"]), "spec.poolRefs[1]", 'Duplicate value: "a"'),
    "a pool without a name": (batch(poolRefs=[""]), "spec.poolRefs[0]", "should match '^[a-z0-9]"),
    "a name no pool can have": (
        batch(poolRefs=["a" * 64]),
        "spec.poolRefs[0]",
        "Too long: may not be more than 63",
    ),
    "selector of pools": (
        batch(poolRefs=None, poolSelector={"matchLabels": {"-x": "y"}}),
        "spec.poolSelector.matchLabels",
        "a label key is name or prefix/name",
    ),
    "no model": (batch(model=None), "spec.model", "Required value"),
    "no input": (batch(input=None), "spec.input", "Required value"),
    "no output": (batch(output=None), "spec.output", "Required value"),
    "input without URI": (batch(input={}), "spec.input.uri", "Required value"),
    "empty URI": (with_input(""), "spec.input.uri", "a URI starts with file:///, s3://, gs:// or az://"),
    "unknown scheme": (with_input("ftp://x/a"), "spec.input.uri", "a URI starts with file:///, s3://"),
    "plain path": (with_input("/docs.jsonl"), "spec.input.uri", "a URI starts with file:///, s3://"),
    "relative file": (with_input("file://docs.jsonl"), "spec.input.uri", _FILE_URI),
    "file on a host": (with_input("file://nas/docs.jsonl"), "spec.input.uri", _FILE_URI),
    "file above the folder": (with_input("file:///../other/docs.jsonl"), "spec.input.uri", _FILE_URI),
    "file with a dot": (with_input("file:///./docs.jsonl"), "spec.input.uri", _FILE_URI),
    "file with an empty part": (with_input("file:///a//docs.jsonl"), "spec.input.uri", _FILE_URI),
    "file with a query": (with_input("file:///docs.jsonl?v=1"), "spec.input.uri", _FILE_URI),
    "file with a line break": (with_input("file:///docs\n.jsonl"), "spec.input.uri", _FILE_URI),
    "input that is a folder": (with_input("file:///docs/"), "spec.input.uri", "does not end with a slash"),
    "input that is a bucket": (with_input("s3://docs"), "spec.input.uri", "does not end with a slash"),
    "no bucket": (
        batch(output={"uri": "s3:///out"}),
        "spec.output.uri",
        "names its bucket, as in s3://bucket",
    ),
    "model above the folder": (batch(model=MODEL | {"uri": "file:///.."}), "spec.model.uri", _FILE_URI),
    "empty errorUri": (
        batch(output={"uri": "file:///out", "errorUri": ""}),
        "spec.output.errorUri",
        "a URI starts",
    ),
    "endless URI": (with_input("file:///" + "a" * 1024), "spec.input.uri", "may not be more than 1024"),
    "output over the input": (
        batch(input={"uri": "file:///out/output.jsonl"}),
        "spec:",
        "output.jsonl would be written over the input; choose another output.uri",
    ),
    "errors over the input": (
        batch(
            input={"uri": "file:///e/errors.jsonl"}, output={"uri": "file:///out", "errorUri": "file:///e/"}
        ),
        "spec:",
        "errors.jsonl would be written over the input; choose another output.errorUri",
    ),
    "unknown format": (
        with_input("file:///a", format="CSV"),
        "spec.input.format",
        'supported values: "JSONL"',
    ),
    "unknown idField": (with_input("file:///a", idField="id"), "spec.input.idField", 'values: "custom_id"'),
    "no records in a shard": (
        batch(sharding={"recordsPerShard": 0}),
        "spec.sharding.recordsPerShard",
        "greater than or equal to 1",
    ),
    "a shard for everything": (
        batch(sharding={"recordsPerShard": 100_001}),
        "spec.sharding.recordsPerShard",
        "less than or equal to 100000",
    ),
    "no parallelism": (batch(parallelism=0), "spec.parallelism", "greater than or equal to 1"),
    "parallelism in words": (batch(parallelism="two"), "spec.parallelism", "must be of type integer"),
    "timeout without a unit": (batch(shardTimeout="300"), "spec.shardTimeout", _DURATION),
    "timeout in days": (batch(shardTimeout="1d"), "spec.shardTimeout", _DURATION),
    "no timeout": (batch(shardTimeout="0s"), "spec.shardTimeout", "must be from 5s to 24h"),
    "timeout of a week": (batch(shardTimeout="168h"), "spec.shardTimeout", "must be from 5s to 24h"),
    "suspend in words": (batch(suspend="yes"), "spec.suspend", "must be of type boolean"),
    "misspelt field": (batch(paralelism=2), "", 'unknown field "spec.paralelism"'),
    "field of another API": (batch(model=MODEL | {"name": "x"}), "", 'unknown field "spec.model.name"'),
    "name with capitals": (batch("Docs"), "metadata.name", "RFC 1123 subdomain"),
}

ACCEPTED: dict[str, Object] = {
    **ACCEPTED_POOLS,
    "a plain batch": batch(),
    "a pool by selector": batch(poolRefs=None, poolSelector={"matchLabels": {"tier": "gold"}}),
    "all pools": batch(poolRefs=None, poolSelector={}),
    "several pools": batch(poolRefs=["a", "b.c", "a" * 63]),
    "the longest name": batch("d" * 253),
    "a name with dots": batch("docs.2026-11"),
    "an input in a folder": with_input("file:///in/2026/docs.jsonl", digest=DIGEST, format="JSONL"),
    "odd but plain characters": with_input("file:///a b/dócs..v2%20.jsonl"),
    "folders with a slash": batch(output={"uri": "file:///out/", "errorUri": "file:///err/"}),
    "errors beside the output": batch(output={"uri": "file:///out", "errorUri": "file:///out"}),
    "the namespace's own folder": batch(output={"uri": "file:///"}),
    "an input beside the output": with_input("file:///out/docs.jsonl"),
    "object stores": batch(
        model=MODEL | {"uri": "s3://models/minilm/"},
        input={"uri": "gs://in/docs.jsonl"},
        output={"uri": "az://out"},
    ),
    "bounds of numbers": batch(parallelism=1, sharding={"recordsPerShard": 100_000}),
    "bounds of times": batch(shardTimeout="5s"),
    "a day in minutes": batch(shardTimeout="1439m60s", suspend=True),
}

STORED = {"batch": batch("stored"), "pool": pool("stored")}
_IMMUTABLE = "is immutable: create a new InferenceBatch instead"

REFUSED_CHANGES: dict[str, tuple[str, Object, str]] = {
    "another model": (
        "batch",
        {"model": {"uri": "file:///other"}},
        f"spec.model: Invalid value: model {_IMMUTABLE}",
    ),
    "another input": ("batch", {"input": {"uri": "file:///other"}}, f"input {_IMMUTABLE}"),
    "a digest afterwards": ("batch", {"input": {"digest": DIGEST}}, f"input {_IMMUTABLE}"),
    "another output": ("batch", {"output": {"uri": "file:///other"}}, f"output {_IMMUTABLE}"),
    "errors elsewhere": ("batch", {"output": {"errorUri": "file:///other"}}, f"output {_IMMUTABLE}"),
    "other shards": (
        "batch",
        {"sharding": {"recordsPerShard": 7}},
        "sharding is immutable: shards are planned once; create a new InferenceBatch instead",
    ),
    "both kinds of pools": ("batch", {"poolSelector": {}}, "set exactly one of poolRefs and poolSelector"),
    "no pools": ("batch", {"poolRefs": None}, "set exactly one of poolRefs and poolSelector"),
    "timeout of nothing": ("batch", {"shardTimeout": "0s"}, "must be from 5s to 24h"),
    "floor above resume": (
        "pool",
        {"eligibility": {"minStateOfCharge": 80}},
        "must be above minStateOfCharge",
    ),
}

ACCEPTED_CHANGES: dict[str, tuple[str, Object]] = {
    "suspend": ("batch", {"suspend": True}),
    "parallelism": ("batch", {"parallelism": 3}),
    "shardTimeout": ("batch", {"shardTimeout": "1m"}),
    "other pools": ("batch", {"poolRefs": ["other"]}),
    "pools by selector": ("batch", {"poolRefs": None, "poolSelector": {"matchLabels": {"a": "b"}}}),
    "the same shards": ("batch", {"sharding": {"recordsPerShard": 100}}),
    "rules": ("pool", {"eligibility": {"minStateOfCharge": 20, "resumeStateOfCharge": 30}}),
    "selector": ("pool", {"selector": {"matchLabels": {"parkade.dev/region": "us"}}}),
}
