"""Copying a model bundle into the platform store, every byte checked against the digest that the batch names."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Final

from parkade_api.bundle import (
    MANIFEST_NAME,
    MOST_SIGNATURE_BYTES,
    SIGNATURE_NAME,
    BundleFile,
    BundleManifest,
    parse_manifest,
)
from parkade_api.wellknown import BatchReason
from parkade_operator.shards import layout
from parkade_operator.shards.errors import AlreadyExists, BatchFailure, FileRefused
from parkade_operator.shards.files import FileRoot, join, unreadable
from parkade_operator.shards.onnx_file import is_onnx
from parkade_operator.shards.spec import BatchSpec
from parkade_operator.shards.store import BlockingStore

CHUNK_BYTES: Final = 1024 * 1024
MOST_MANIFEST_BYTES: Final = 1024 * 1024


def copy_bundle(spec: BatchSpec, store: BlockingStore, files: FileRoot) -> BundleManifest:
    """Check and copy the bundle of a batch; its manifest. Raises BatchFailure: unreadable, other digest, invalid."""
    data = _read_manifest(spec, files)
    manifest = _parse(spec, data)
    for entry in manifest.files:
        _copy_file(spec, entry, store, files)
    for variant in manifest.variants:
        _check_model(spec, manifest.file(variant.file), files)
    with suppress(AlreadyExists):
        store.create(layout.signature(spec.uid), (_read_signature(spec, files),))
    # Last, so that a manifest in the store means that the whole bundle is there.
    with suppress(AlreadyExists):
        store.create(layout.bundle_file(spec.model_digest, MANIFEST_NAME), (data,))
    return manifest


def _read_manifest(spec: BatchSpec, files: FileRoot) -> bytes:
    with _readable(spec, MANIFEST_NAME, files) as file:
        data = file.read(MOST_MANIFEST_BYTES + 1)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if digest != spec.model_digest:
        message = f"{MANIFEST_NAME} at {spec.model_uri} has digest {digest}, spec.model.digest says {spec.model_digest}"
        raise BatchFailure(BatchReason.MODEL_DIGEST_MISMATCH, message)
    return data


def _parse(spec: BatchSpec, data: bytes) -> BundleManifest:
    try:
        return parse_manifest(data)
    except ValueError as error:
        raise _invalid(spec, str(error)) from None


def _read_signature(spec: BatchSpec, files: FileRoot) -> bytes:
    """The bytes of bundle.sig, none when the bundle is unsigned; whose it is, vehicles judge."""
    try:
        with _readable(spec, SIGNATURE_NAME, files) as file:
            data = file.read(MOST_SIGNATURE_BYTES + 1)
    except BatchFailure as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return b""
        raise
    if len(data) > MOST_SIGNATURE_BYTES:
        raise _invalid(spec, f"{SIGNATURE_NAME} has more than {MOST_SIGNATURE_BYTES} bytes")
    return data


def _copy_file(spec: BatchSpec, entry: BundleFile, store: BlockingStore, files: FileRoot) -> None:
    key = layout.bundle_file(spec.model_digest, entry.name)
    with _readable(spec, entry.name, files) as file:
        checked = _checked(spec, entry, file)
        if store.exists(key):
            # It was checked when it was stored; here only that this batch's namespace has the same bytes.
            for _ in checked:
                pass
            return
        with suppress(AlreadyExists):
            store.create(key, checked)


def _checked(spec: BatchSpec, entry: BundleFile, file: BinaryIO) -> Iterator[bytes]:
    """The file's bytes; raises at their end, before they are stored, unless they are as the manifest says."""
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        if size > entry.size:
            break
        yield chunk
    if (size, digest.hexdigest()) != (entry.size, entry.sha256):
        message = (
            f"{entry.name} at {spec.model_uri} does not have the size and sha256 that {MANIFEST_NAME} states"
        )
        raise BatchFailure(BatchReason.MODEL_DIGEST_MISMATCH, message)


def _check_model(spec: BatchSpec, entry: BundleFile, files: FileRoot) -> None:
    with _readable(spec, entry.name, files) as file:
        if not is_onnx(file, entry.size):
            raise _invalid(spec, f"{entry.name} is not an ONNX file")


def _invalid(spec: BatchSpec, problem: str) -> BatchFailure:
    return BatchFailure(
        BatchReason.MODEL_INVALID, f"the bundle at {spec.model_uri} cannot be used: {problem}"
    )


@contextmanager
def _readable(spec: BatchSpec, name: str, files: FileRoot) -> Iterator[BinaryIO]:
    uri = join(spec.model_uri, name)
    try:
        with files.open(spec.namespace, uri) as file:
            yield file
    except (OSError, FileRefused) as error:
        raise unreadable(BatchReason.MODEL_UNREADABLE, uri, error) from error
