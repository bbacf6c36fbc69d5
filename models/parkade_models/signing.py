"""A publisher's signature over a bundle: OpenSSF model-signing with an elliptic key, made and verified offline.

`python -m parkade_models.signing FOLDER SIGNATURE KEY...` verifies in a process of its own, for an agent that must
stay small: what model-signing imports takes 60 MB. Its last word is one sentence on stdout. Exit codes: 0 a publisher
signed this bundle; 3 it is refused.
"""

import argparse
import contextlib
import os
import re
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from model_signing import hashing, signing, verifying
from model_signing.manifest import Manifest
from typing_extensions import override

from parkade_api.bundle import MANIFEST_NAME, MOST_SIGNATURE_BYTES, SIGNATURE_NAME, parse_manifest
from parkade_models.bundle import load_bundle
from parkade_models.errors import SignatureError

EXIT_REFUSED: Final = 3
# How model-signing begins its sentences, and where it names a file.
_OTHER_KEY: Final = "Key mismatch"
_OTHER_FILES: Final = "Signature mismatch"
_CHANGED: Final = re.compile(r"Hash mismatch for '([^']*)'")


def sign_bundle(folder: Path, private_key: Path) -> Path:
    """Writes bundle.sig, over bundle.json and every file that it names, and returns its path.

    *private_key* is a PEM file with an elliptic key (P-256, P-384 or P-521) and no password. Raises BundleError when
    the bundle is not whole, SignatureError when it holds more than that or cannot be signed.
    """
    load_bundle(folder)
    _check_names(folder)
    signature = folder / SIGNATURE_NAME
    try:
        signer = signing.Config().use_elliptic_key_signer(private_key=private_key)  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 - whatever cryptography raises of a file that is no such key
        raise SignatureError(
            f"{private_key} is no elliptic private key in PEM without password: {error}"
        ) from None
    signer.set_hashing_config(_Hashing()).sign(folder, signature)
    return signature


def verify_bundle(folder: Path, signature: Path, public_keys: Iterable[Path]) -> Path:
    """The public key, a PEM file, that verifies *signature* over the whole bundle. Raises SignatureError.

    Every byte of every file is read. What no key vouches for may not be there: a file that bundle.json does not name.
    """
    names = _check_names(folder)
    _check_size(signature)
    problems = []
    for key in public_keys:
        problem = _problem(folder, signature, key, names)
        if problem is None:
            return key
        problems.append(problem)
    raise SignatureError("; ".join(dict.fromkeys(problems)) or "no publisher's key is known here")


def _check_names(folder: Path) -> set[str]:
    """The names that a signature must cover. Raises SignatureError unless just these files are in the folder."""
    found = {}
    try:
        for entry in os.scandir(folder):
            found[entry.name] = entry.stat(follow_symlinks=False).st_mode
        manifest = parse_manifest((folder / MANIFEST_NAME).read_bytes())
    except OSError as error:
        raise SignatureError(f"{Path(error.filename).name} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SignatureError(str(error)) from None
    names = {MANIFEST_NAME, *(entry.name for entry in manifest.files)}
    for name in sorted(names - set(found)):
        raise SignatureError(f"{name} is missing")
    for name in sorted(set(found) - names - {SIGNATURE_NAME}):
        raise SignatureError(f"{name} is in the folder, but {MANIFEST_NAME} does not name it")
    for name, mode in sorted(found.items()):
        if not stat.S_ISREG(mode):
            raise SignatureError(f"{name} is no regular file")
    return names


def _check_size(signature: Path) -> None:
    try:
        size = signature.stat().st_size
    except OSError:
        raise SignatureError(f"the bundle is unsigned: {SIGNATURE_NAME} is missing") from None
    if not 0 < size <= MOST_SIGNATURE_BYTES:
        raise SignatureError(f"{SIGNATURE_NAME} has {size} bytes; 1 to {MOST_SIGNATURE_BYTES} are taken")


class _Hashing(hashing.Config):
    """Hashes every file but the signature, also those that begin with .git; symbolic links are refused."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.use_file_serialization(hashing_algorithm="sha256")
        self.set_ignored_paths(paths=[SIGNATURE_NAME], ignore_git_paths=False)
        self.covered: set[str] = set()

    @override
    def hash(
        self, model_path: hashing.PathLike, *, files_to_hash: Iterable[hashing.PathLike] | None = None
    ) -> Manifest:
        manifest = super().hash(model_path, files_to_hash=files_to_hash)
        self.covered = {entry.identifier for entry in manifest.resource_descriptors()}
        return manifest


def _problem(folder: Path, signature: Path, key: Path, names: set[str]) -> str | None:
    """Why *key* does not verify the signature over the files *names* of the folder; None when it does."""
    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=key)  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 - whatever cryptography raises of a file that is no such key
        return f"{key.name} is no elliptic public key in PEM: {_words(error)}"
    hashed = _Hashing()
    try:
        verifier.set_hashing_config(hashed).verify(folder, signature)
    except InvalidSignature:
        return f"{SIGNATURE_NAME} holds no valid signature by the key {key.name}"
    except Exception as error:  # noqa: BLE001 - the signature is a stranger's bytes: any parser of it may give up
        return _sentence(_words(error), key)
    # A signature states itself which files it leaves out; a good one leaves out none.
    if hashed.covered != names:
        return f"{SIGNATURE_NAME} does not cover {', '.join(sorted(names - hashed.covered))}"
    return None


def _words(error: Exception) -> str:
    """What *error* says; of an OSError without its path, because the cluster hears it."""
    said = error.strerror if isinstance(error, OSError) else str(error)
    return said or type(error).__name__


def _sentence(words: str, key: Path) -> str:
    """What model-signing says of a bundle, in ours."""
    if words.startswith(_OTHER_KEY):
        return f"{SIGNATURE_NAME} was not made with the key {key.name}"
    if words.startswith(_OTHER_FILES):
        changed = ", ".join(_CHANGED.findall(words))
        return f"{changed or 'the list of files'} is not what was signed"
    return f"{SIGNATURE_NAME} is no signature: {words.splitlines()[0]}"


def main() -> None:
    """Verifies the bundle named on the command line."""
    parser = argparse.ArgumentParser(description="Verify a bundle's signature.")
    for name in ("folder", "signature"):
        parser.add_argument(name, type=Path)
    parser.add_argument("keys", type=Path, nargs="*")
    arguments = parser.parse_args()
    try:
        with contextlib.redirect_stdout(sys.stderr):  # model-signing prints warnings
            key = verify_bundle(arguments.folder, arguments.signature, arguments.keys)
    except SignatureError as error:
        sys.stdout.write(f"{error}\n")
        sys.exit(EXIT_REFUSED)
    sys.stdout.write(f"signed with the key {key.name}\n")


if __name__ == "__main__":
    main()
