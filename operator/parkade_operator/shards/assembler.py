"""Assembling: the winners' bytes, in input order, become the user's files; the manifest is created last.

Runs in a worker process once the log is sealed. It believes nothing that it was told: it folds the log again
and checks every digest again. It can be killed at any point and run again: the same bytes come out.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from parkade_api.wellknown import BatchReason
from parkade_core.batch.assemble import FileDigest, encode_manifest, merge_errors, winners_in_order
from parkade_core.batch.commit import Ledger, ShardCommit
from parkade_core.batch.errors import LogBroken
from parkade_core.batch.plan import Plan, decode_plan
from parkade_operator.shards import layout
from parkade_operator.shards.errors import (
    AlreadyExists,
    BatchFailure,
    FileRefused,
    NoSuchObject,
    StoreUnavailable,
)
from parkade_operator.shards.files import MAY_PASS, FileRoot, join
from parkade_operator.shards.spec import BatchSpec, Roots
from parkade_operator.shards.store import BlockingStore

OUTPUT_NAME: Final = "output.jsonl"
ERRORS_NAME: Final = "errors.jsonl"


def output_uri(spec: BatchSpec) -> str:
    """Where the batch's results come to be."""
    return join(spec.output_uri, OUTPUT_NAME)


def error_uri(spec: BatchSpec) -> str:
    """Where the batch's error lines come to be."""
    return join(spec.error_uri or spec.output_uri, ERRORS_NAME)


def assemble_batch(spec: BatchSpec, roots: Roots) -> str:
    """Assemble a sealed batch, in a worker process; returns the manifest's digest, `sha256:<hex>`.

    Raises BatchFailure, StoreError, LogBroken.
    """
    store = BlockingStore(roots.store)
    try:
        return assemble(spec, store, FileRoot(roots.files))
    finally:
        store.close()


def assemble(spec: BatchSpec, store: BlockingStore, files: FileRoot) -> str:
    """Write output.jsonl, errors.jsonl and the manifest; a manifest that is there says that all is done."""
    key = layout.manifest(spec.uid)
    if not store.exists(key):
        data = _write_files(spec, store, files)
        try:
            store.create(key, (data,))
        except AlreadyExists:
            if store.get(key) != data:
                raise LogBroken(
                    f"the manifest of batch {spec.uid} has other bytes than its log gives"
                ) from None
    return f"sha256:{hashlib.sha256(store.get(key)).hexdigest()}"


def _write_files(spec: BatchSpec, store: BlockingStore, files: FileRoot) -> bytes:
    plan = decode_plan(store.get(layout.plan(spec.uid)))
    ledger = _fold_log(spec.uid, store)
    results = _Results(plan, winners_in_order(plan, ledger.winners), spec.uid, store)
    output = _write_file(spec, files, output_uri(spec), results.output)
    errors = _write_file(spec, files, error_uri(spec), results.errors)
    return encode_manifest(plan, ledger, output, errors)


def _fold_log(uid: str, store: BlockingStore) -> Ledger:
    ledger = Ledger(uid)
    for seq in count():
        if ledger.sealed:
            break
        try:
            ledger.feed(store.get(layout.segment(uid, seq)))
        except NoSuchObject as error:
            raise LogBroken(f"the log of batch {uid} ends at segment {seq} without a seal") from error
    return ledger


@dataclass(frozen=True, slots=True)
class _Results:
    plan: Plan
    winners: list[ShardCommit]
    uid: str
    store: BlockingStore

    def output(self) -> Iterator[bytes]:
        """The output lines of every shard, shard by shard."""
        for commit in self.winners:
            yield self._result(commit)[: commit.output_size]

    def errors(self) -> Iterator[bytes]:
        """All error lines, by input line."""
        return merge_errors(self._rejects(), self._failures())

    def _failures(self) -> Iterator[bytes]:
        for commit in self.winners:
            if commit.failed:
                *lines, _ = self._result(commit)[commit.output_size :].split(b"\n")
                yield from (line + b"\n" for line in lines)

    def _rejects(self) -> Iterator[bytes]:
        digest, rest = hashlib.sha256(), b""
        for chunk in self.store.chunks(layout.rejects(self.uid)):
            digest.update(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line + b"\n" for line in lines)
        if digest.hexdigest() != self.plan.rejects.sha256:
            raise LogBroken(f"the rejects of batch {self.uid} are not what its plan states")

    def _result(self, commit: ShardCommit) -> bytes:
        data = self.store.get_range(commit.key, commit.offset, commit.size)
        if hashlib.sha256(data).hexdigest() != commit.sha256:
            raise LogBroken(
                f"the result of shard {commit.shard} of batch {self.uid} is damaged in {commit.key}"
            )
        return data


class _Hashed:
    """Passes bytes on and knows their digest at the end."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts
        self._digest = hashlib.sha256()
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self._digest.update(part)
            self._size += len(part)
            yield part

    def result(self) -> FileDigest:
        return FileDigest(self._size, self._digest.hexdigest())


def _write_file(
    spec: BatchSpec, files: FileRoot, uri: str, parts: Callable[[], Iterator[bytes]]
) -> FileDigest:
    hashed = _Hashed(parts())
    try:
        files.create(spec.namespace, uri, hashed)
    except FileExistsError:
        _check_existing(spec, files, uri, hashed.result())
    except FileRefused as error:
        raise BatchFailure(BatchReason.OUTPUT_UNWRITABLE, str(error)) from error
    except OSError as error:
        if error.errno in MAY_PASS:
            raise StoreUnavailable(f"{uri} cannot be written now: {error.strerror}") from error
        message = f"{uri} cannot be written: {error.strerror}"
        raise BatchFailure(BatchReason.OUTPUT_UNWRITABLE, message) from error
    return hashed.result()


def _check_existing(spec: BatchSpec, files: FileRoot, uri: str, expected: FileDigest) -> None:
    try:
        same = files.digest(spec.namespace, uri) == expected.sha256
    except (OSError, FileRefused):
        same = False
    if not same:
        message = f"{uri} exists with other bytes; move it away or choose another output"
        raise BatchFailure(BatchReason.OUTPUT_EXISTS, message)
