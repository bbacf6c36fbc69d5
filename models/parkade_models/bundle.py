"""A model bundle on disk: checked when it is loaded, byte-stable when it is written.

`bundle.json` names every other file by size and sha256, so that its own sha256 (the digest) pins them all.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from parkade_api.bundle import MANIFEST_NAME, BundleFile, BundleManifest, Precision, Variant, parse_manifest
from parkade_models.errors import BundleError, DamagedBundleError


@dataclass(frozen=True, slots=True)
class Bundle:
    """A folder whose files are what its manifest says."""

    folder: Path
    manifest: BundleManifest
    digest: str
    """`sha256:<hex>` of bundle.json, as in `spec.model.digest`."""

    variant: Variant
    """The variant that runs."""

    def path(self, name: str) -> Path:
        """The path of one of the bundle's files. Raises KeyError when the manifest does not name it."""
        return self.folder / self.manifest.file(name).name


def load_bundle(folder: Path, precision: Precision = "INT8") -> Bundle:
    """Reads and verifies a bundle to run in *precision*.

    Raises BundleError, and DamagedBundleError naming the first file that is not as it was built.
    """
    try:
        raw = (folder / MANIFEST_NAME).read_bytes()
    except OSError as error:
        raise DamagedBundleError(f"{MANIFEST_NAME} cannot be read: {error.strerror}") from None
    manifest = _parse(raw, precision)
    for entry in manifest.files:
        _verify(folder / entry.name, entry)
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    return Bundle(folder, manifest, digest, manifest.variant(precision))


def _parse(raw: bytes, precision: Precision) -> BundleManifest:
    try:
        return parse_manifest(raw, precision)
    except ValueError as error:
        raise BundleError(str(error)) from None


def _verify(path: Path, entry: BundleFile) -> None:
    try:
        found = describe_file(path)
    except OSError as error:
        raise DamagedBundleError(f"{entry.name} cannot be read: {error.strerror}") from None
    if found.size != entry.size:
        raise DamagedBundleError(f"{entry.name} has {found.size} bytes, {MANIFEST_NAME} says {entry.size}")
    if found.sha256 != entry.sha256:
        raise DamagedBundleError(
            f"{entry.name} has sha256 {found.sha256}, {MANIFEST_NAME} says {entry.sha256}"
        )


def describe_file(path: Path) -> BundleFile:
    """The manifest's entry for a file. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return BundleFile(name=path.name, size=file.tell(), sha256=digest)


def write_manifest(folder: Path, manifest: BundleManifest) -> str:
    """Writes bundle.json, the same bytes for the same manifest, and returns the bundle's digest."""
    content = (
        json.dumps(manifest.model_dump(by_alias=True, exclude_none=True), indent=2, ensure_ascii=False) + "\n"
    )
    (folder / MANIFEST_NAME).write_text(content, encoding="utf-8")
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
