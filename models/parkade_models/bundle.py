"""A model bundle on disk: checked when it is loaded, byte-stable when it is written.

`bundle.json` names every other file by size and sha256, so that its own sha256 (the digest) pins them all.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from parkade_api.bundle import MANIFEST_NAME, BundleFile, BundleManifest, Variant
from parkade_models.errors import BundleError


@dataclass(frozen=True, slots=True)
class Bundle:
    """A folder whose files are what its manifest says."""

    folder: Path
    manifest: BundleManifest
    digest: str
    """`sha256:<hex>` of bundle.json, as in `spec.model.digest`."""

    @property
    def variant(self) -> Variant:
        """The variant that runs: the first of the manifest."""
        return self.manifest.variants[0]

    def path(self, name: str) -> Path:
        """The path of one of the bundle's files. Raises BundleError when the manifest does not name it."""
        try:
            return self.folder / self.manifest.file(name).name
        except KeyError:
            raise BundleError(f"{MANIFEST_NAME} uses {name} but does not list it under files") from None


def load_bundle(folder: Path) -> Bundle:
    """Reads and verifies a bundle. Raises BundleError naming the first file that is not as it should be."""
    try:
        raw = (folder / MANIFEST_NAME).read_bytes()
    except OSError as error:
        raise BundleError(f"{MANIFEST_NAME} cannot be read: {error.strerror}") from None
    bundle = Bundle(folder, _parse(raw), f"sha256:{hashlib.sha256(raw).hexdigest()}")
    for entry in bundle.manifest.files:
        _verify(folder / entry.name, entry)
    bundle.path(bundle.manifest.input.tokenizer)
    for variant in bundle.manifest.variants:
        bundle.path(variant.file)
    return bundle


def _parse(raw: bytes) -> BundleManifest:
    try:
        return BundleManifest.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleError(f"{MANIFEST_NAME} is not valid: {where}: {first['msg']}") from None


def _verify(path: Path, entry: BundleFile) -> None:
    try:
        found = describe_file(path)
    except OSError as error:
        raise BundleError(f"{entry.name} cannot be read: {error.strerror}") from None
    if found.size != entry.size:
        raise BundleError(f"{entry.name} has {found.size} bytes, {MANIFEST_NAME} says {entry.size}")
    if found.sha256 != entry.sha256:
        raise BundleError(f"{entry.name} has sha256 {found.sha256}, {MANIFEST_NAME} says {entry.sha256}")


def describe_file(path: Path) -> BundleFile:
    """The manifest's entry for a file. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return BundleFile(name=path.name, size=file.tell(), sha256=digest)


def write_manifest(folder: Path, manifest: BundleManifest) -> str:
    """Writes bundle.json, the same bytes for the same manifest, and returns the bundle's digest."""
    content = json.dumps(manifest.model_dump(by_alias=True), indent=2, ensure_ascii=False) + "\n"
    (folder / MANIFEST_NAME).write_text(content, encoding="utf-8")
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
