"""InferenceBatch: a model, an input and an output; the work is done on vehicles of the named pools."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from parkade_api.v1alpha1.common import (
    Condition,
    Digest,
    Duration,
    FileUri,
    FolderUri,
    LabelSelector,
    Model,
    Name,
    ObjectMeta,
    Percent,
    Time,
    cel,
    within,
)

Phase = Literal["Validating", "Queued", "InProgress", "Suspended", "Finalizing", "Completed", "Failed"]


class ModelRef(Model):
    """A model bundle."""

    # The digest is required by CEL and not by the schema, because only a CEL rule can say the cure.
    model_config = ConfigDict(
        json_schema_extra={
            "required": ["uri"],
            **cel(
                "has(self.digest) && self.digest.matches('^sha256:[0-9a-f]{64}$')",
                "digest is required, as sha256:<64 hex digits>: `sha256sum bundle.json` prints it",
            ),
        }
    )

    uri: FolderUri = Field(description="Folder or prefix that holds bundle.json.")
    digest: str = Field(
        description="sha256 of bundle.json, which pins every file of the bundle: sha256:<64 hex digits>.",
        max_length=128,
    )


class Input(Model):
    """What to run the model on."""

    uri: FileUri = Field(description="The file of records, such as file:///docs.jsonl.")
    format: Literal["JSONL"] = Field(
        default="JSONL", description="Shape of the file: lines of the OpenAI Batch API."
    )
    digest: Digest | None = Field(
        default=None, description="sha256 of the file; the batch fails when it differs."
    )
    id_field: Literal["custom_id"] = Field(default="custom_id", description="Field that names a record.")


class Output(Model):
    """Where results go."""

    uri: FolderUri = Field(description="Folder or prefix for output.jsonl.")
    error_uri: FolderUri | None = Field(
        default=None, description="Folder or prefix for errors.jsonl; default: beside the output."
    )


class Sharding(Model):
    """How the input is cut."""

    strategy: Literal["Records"] = Field(
        default="Records", description="Shards of a fixed number of records."
    )
    records_per_shard: int = Field(default=100, ge=1, le=100_000, description="Records in a shard.")


def _immutable(field: str, cure: str) -> dict[str, Any]:
    return cel("self == oldSelf", f"{field} is immutable: {cure}")


def _apart(file: str, folder: str) -> str:
    """CEL: the file at *file* is not the one that is written into *folder*."""
    name = "errors.jsonl" if folder.endswith("errorUri") else "output.jsonl"
    return f"{file} != {folder} + ({folder}.endsWith('/') ? '{name}' : '/{name}')"


_NEW_BATCH = "create a new InferenceBatch instead"


class InferenceBatchSpec(Model):
    """What to run, on what, where."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            "has(self.poolRefs) != has(self.poolSelector)",
            "set exactly one of poolRefs and poolSelector",
            _apart("self.input.uri", "self.output.uri"),
            "output.jsonl would be written over the input; choose another output.uri",
            "!has(self.output.errorUri) || " + _apart("self.input.uri", "self.output.errorUri"),
            "errors.jsonl would be written over the input; choose another output.errorUri",
        )
    )

    pool_refs: list[Annotated[Name, Field(max_length=63)]] | None = Field(
        default=None,
        description="Names of the VehiclePools where the batch may run; a change is for slots to come.",
        min_length=1,
        max_length=64,
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    pool_selector: LabelSelector | None = Field(
        default=None, description="Labels of the VehiclePools where the batch may run."
    )
    suspend: bool = Field(default=False, description="True stops work and keeps what is done; false goes on.")
    model: ModelRef = Field(
        description="The model bundle.", json_schema_extra=_immutable("model", _NEW_BATCH)
    )
    input: Input = Field(
        description="What to run the model on.", json_schema_extra=_immutable("input", _NEW_BATCH)
    )
    output: Output = Field(
        description="Where results go.", json_schema_extra=_immutable("output", _NEW_BATCH)
    )
    sharding: Sharding = Field(
        default=Sharding(),
        description="How the input is cut.",
        json_schema_extra=_immutable("sharding", "shards are planned once; " + _NEW_BATCH),
    )
    parallelism: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="Most shards in flight; default: no limit. May change at any time.",
    )
    shard_timeout: Annotated[Duration, within("5s", "24h")] = Field(
        default="5m",
        description=(
            "Time after which another vehicle may have a leased shard, too; the first result stands. A result of the"
            " lease, or a new session of its vehicle, begins it anew. Shorter than a shard takes, work is done twice."
            " May change at any time."
        ),
    )


class RequestCounts(Model):
    """Records, counted."""

    total: int = Field(default=0, description="Records in the input.")
    completed: int = Field(default=0, description="Records with a result.")
    failed: int = Field(default=0, description="Records in errors.jsonl.")


class FirstFailedRecord(Model):
    """One of the failed records of lowest input line."""

    line: int = Field(description="Line of the input, from 1.")
    custom_id: str | None = Field(
        default=None, description="The record's custom_id; absent when it states none."
    )
    code: str = Field(description="What was wrong, in one word; docs/errors.md lists them.", max_length=128)
    message: str = Field(description="What was wrong and what would be right.", max_length=512)


class ShardCounts(Model):
    """Shards, counted."""

    total: int = Field(default=0, description="All shards.")
    pending: int = Field(default=0, description="Neither leased nor done.")
    leased: int = Field(default=0, description="In a vehicle.")
    succeeded: int = Field(default=0, description="Committed.")


class Usage(Model):
    """What the batch uses."""

    vehicles: int = Field(default=0, description="Vehicles that work on it now.")


class PendingReason(Model):
    """Why vehicles do not work on the batch."""

    reason: str = Field(description="A reason of VehiclePool.status.ineligibleReasons.", max_length=64)
    count: int = Field(description="Vehicles.")


class Results(Model):
    """Where the results lie."""

    output_uri: str = Field(description="output.jsonl, in input order.")
    error_uri: str = Field(description="errors.jsonl, in input order; empty when every record succeeded.")
    manifest_digest: str = Field(description="sha256 of the manifest, which holds the hash of every shard.")


class InferenceBatchStatus(Model):
    """What was observed."""

    observed_generation: int | None = Field(
        default=None, description="Generation that this status speaks of."
    )
    phase: Phase | None = Field(default=None, description="Where the batch stands, in one word.")
    reason: str | None = Field(default=None, description="Why, as one CamelCase word.", max_length=128)
    message: str | None = Field(default=None, description="Why, as a sentence.", max_length=32768)
    conditions: list[Condition] | None = Field(
        default=None,
        description="Admitted, Running, Complete, Failed.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    start_time: Time | None = Field(default=None, description="When the first shard could be leased.")
    finalizing_at: Time | None = Field(default=None, description="When the last shard was committed.")
    completion_time: Time | None = Field(default=None, description="When the result files were complete.")
    request_counts: RequestCounts | None = Field(default=None, description="Records, counted.")
    first_failed_records: list[FirstFailedRecord] | None = Field(
        default=None,
        description="The failed records of lowest input line that are known, at most three; all are in errors.jsonl.",
        max_length=3,
    )
    shards: ShardCounts | None = Field(default=None, description="Shards, counted.")
    progress_percent: Percent | None = Field(default=None, description="Shards done, in percent.")
    estimated_completion_time: Time | None = Field(
        default=None, description="From the rate of the last minute."
    )
    pending_reasons: list[PendingReason] | None = Field(
        default=None, description="Why vehicles of its pools do not work on it."
    )
    usage: Usage | None = Field(default=None, description="What the batch uses.")
    results: Results | None = Field(default=None, description="Where the results lie.")


class InferenceBatch(Model):
    """One model run over one input on parked vehicles."""

    metadata: ObjectMeta = Field(default=ObjectMeta())
    spec: InferenceBatchSpec = Field(description="What to run, on what, where.")
    status: InferenceBatchStatus | None = Field(default=None, description="What was observed.")
