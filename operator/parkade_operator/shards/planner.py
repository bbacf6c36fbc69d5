"""Planning: one read of the input cuts it into shard objects; the plan is created last and makes them count.

Runs in a worker process. It can be killed at any point and run again: what is there already must have the
same bytes.
"""

import hashlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from tempfile import SpooledTemporaryFile, gettempdir
from typing import BinaryIO, Final, cast

import orjson

from parkade_api.wellknown import BatchReason
from parkade_core.batch.plan import Plan, Rejects, ShardRow, decode_plan, encode_plan, is_full
from parkade_core.batch.record import (
    MAX_LINE_BYTES,
    Record,
    Reject,
    Repeats,
    check_line,
    is_blank,
    reject_line,
)
from parkade_operator.shards import layout
from parkade_operator.shards.bundle import copy_bundle
from parkade_operator.shards.errors import AlreadyExists, BatchFailure, FileRefused, StoreUnavailable
from parkade_operator.shards.files import FileRoot, unreadable, version_of
from parkade_operator.shards.spec import BatchSpec, Roots
from parkade_operator.shards.store import BlockingStore

_SPOOL_BYTES: Final = 16 * 1024 * 1024


def plan_batch(spec: BatchSpec, roots: Roots) -> Plan:
    """Plan a batch, in a worker process. Raises BatchFailure, StoreError, PlanUnreadable."""
    store = BlockingStore(roots.store)
    try:
        return make_plan(spec, store, FileRoot(roots.files))
    finally:
        store.close()


def make_plan(spec: BatchSpec, store: BlockingStore, files: FileRoot) -> Plan:
    """The plan that is there, or else a new one, created when everything that it speaks of is there."""
    key = layout.plan(spec.uid)
    if store.exists(key):
        return decode_plan(store.get(key))
    manifest = copy_bundle(spec, store, files)
    plan = _cut_input(spec, manifest.endpoint, store, files)
    try:
        store.create(key, (encode_plan(plan),))
    except AlreadyExists:
        return decode_plan(store.get(key))
    return plan


def _cut_input(spec: BatchSpec, endpoint: str, store: BlockingStore, files: FileRoot) -> Plan:
    with _aside() as spool:
        shards = _Shards(spec, store)
        rejects = _Rejects(spool)
        digest = _read_input(spec, endpoint, files, shards, rejects)
        if spec.input_digest and digest != spec.input_digest:
            message = f"{spec.input_uri} has digest {digest}, spec.input.digest says {spec.input_digest}"
            raise BatchFailure(BatchReason.INPUT_DIGEST_MISMATCH, message)
        if not shards.rows and not rejects.count:
            raise BatchFailure(BatchReason.INPUT_EMPTY, f"{spec.input_uri} holds no records")
        row = _store_rejects(spec, store, rejects, digest)
        return Plan(digest, spec.model_digest, spec.records_per_shard, tuple(shards.rows), row)


def _read_input(
    spec: BatchSpec, endpoint: str, files: FileRoot, shards: "_Shards", rejects: "_Rejects"
) -> str:
    """Deal the input's lines out to shards and rejects; returns the digest of all its bytes."""
    digest = hashlib.sha256()
    repeats = Repeats()
    # Lines come by a generator, so that an error of the store below is never taken for one of the input.
    with closing(_lines(spec, files, digest)) as lines:
        for number, raw in lines:
            if is_blank(raw, number):
                continue
            checked = repeats.check(check_line(raw, number, endpoint))
            if isinstance(checked, Record):
                shards.add(checked)
            else:
                rejects.add(checked)
    shards.flush()
    return f"sha256:{digest.hexdigest()}"


def _lines(spec: BatchSpec, files: FileRoot, digest: "hashlib._Hash") -> Generator[tuple[int, bytes]]:
    """Numbered lines, all hashed; of one that is too long only the beginning is handed out."""
    number = 0
    with _opened(spec, files) as file:
        while raw := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            digest.update(raw)
            yield number, raw
            while len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
                raw = file.readline(MAX_LINE_BYTES + 1)
                digest.update(raw)


class _Shards:
    """Records on their way into shard objects."""

    def __init__(self, spec: BatchSpec, store: BlockingStore) -> None:
        self.rows: list[ShardRow] = []
        self._spec = spec
        self._store = store
        self._gathered: list[Record] = []
        self._size = 0

    def add(self, record: Record) -> None:
        self._gathered.append(record)
        self._size += len(record.encoded)
        if is_full(len(self._gathered), self._size, self._spec.records_per_shard):
            self.flush()

    def flush(self) -> None:
        if not self._gathered:
            return
        data = b"".join(record.encoded for record in self._gathered)
        sha256 = hashlib.sha256(data).hexdigest()
        _ensure(self._spec, self._store, layout.shard(self._spec.uid, len(self.rows)), (data,), sha256)
        self.rows.append(ShardRow(self._gathered[0].line, len(self._gathered), len(data), sha256))
        self._gathered.clear()
        self._size = 0


class _Rejects:
    """Refused lines, kept aside until the digest of the input is known, which their error lines carry."""

    def __init__(self, spool: BinaryIO) -> None:
        self.count = 0
        self._spool = spool

    def add(self, reject: Reject) -> None:
        self.count += 1
        self._spool.write(orjson.dumps(reject, option=orjson.OPT_APPEND_NEWLINE))

    def error_lines(self, input_digest: str) -> Iterator[bytes]:
        self._spool.seek(0)
        for row in self._spool:
            yield reject_line(input_digest, Reject(**orjson.loads(row)))


def _store_rejects(spec: BatchSpec, store: BlockingStore, rejects: _Rejects, digest: str) -> Rejects:
    hashed, size = hashlib.sha256(), 0
    for line in rejects.error_lines(digest):
        hashed.update(line)
        size += len(line)
    row = Rejects(rejects.count, size, hashed.hexdigest())
    _ensure(spec, store, layout.rejects(spec.uid), rejects.error_lines(digest), row.sha256)
    return row


def _ensure(spec: BatchSpec, store: BlockingStore, key: str, parts: Iterable[bytes], sha256: str) -> None:
    try:
        store.create(key, parts)
    except AlreadyExists:
        stored = hashlib.sha256()
        for chunk in store.chunks(key):
            stored.update(chunk)
        if stored.hexdigest() != sha256:
            message = f"{spec.input_uri} changed while it was planned; make a new batch for the new input"
            raise BatchFailure(BatchReason.INPUT_CHANGED, message) from None


@contextmanager
def _opened(spec: BatchSpec, files: FileRoot) -> Iterator[BinaryIO]:
    try:
        with files.open(spec.namespace, spec.input_uri) as file:
            before = version_of(file)
            yield file
            changed = version_of(file) != before
    except (OSError, FileRefused) as error:
        raise unreadable(BatchReason.INPUT_UNREADABLE, spec.input_uri, error) from error
    if changed:
        message = f"{spec.input_uri} was written to while it was read; make a new batch once it is whole"
        raise BatchFailure(BatchReason.INPUT_CHANGED, message)


@contextmanager
def _aside() -> Iterator[BinaryIO]:
    """A file for refused lines, beside the store and the user's files: what goes wrong with it is our trouble."""
    try:
        with SpooledTemporaryFile(_SPOOL_BYTES) as spool:
            yield cast("BinaryIO", spool)
    except OSError as error:
        message = f"refused lines cannot be kept aside in {gettempdir()}: {error.strerror}"
        raise StoreUnavailable(message) from error
