"""A bundle is signed offline with a key; whatever differs from what was signed is refused with a sentence."""

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from model_signing import hashing, signing

from parkade_models.errors import SignatureError
from parkade_models.signing import sign_bundle, verify_bundle
from support.publishers import Publisher, make_publisher
from support.stores import write_bundle

FILES = ("bundle.json", "bundle.sig", "model.int8.onnx", "tokenizer.json")


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    """Whom the vehicle knows."""
    return make_publisher(tmp_path_factory.mktemp("publisher"), "known")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    """Whom the vehicle does not know."""
    return make_publisher(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, publisher: Publisher) -> Path:
    """A signed bundle; copy it before you break it."""
    folder = tmp_path_factory.mktemp("signed") / "bundle"
    write_bundle(folder)
    sign_bundle(folder, publisher.private)
    return folder


@pytest.fixture
def copy(signed: Path, tmp_path: Path) -> Path:
    """A copy under another name that a test may break."""
    return Path(shutil.copytree(signed, tmp_path / "copy"))


def verify(folder: Path, *publishers: Publisher) -> Path:
    """Which publisher's key verifies the bundle with the signature that lies in it."""
    return verify_bundle(folder, folder / "bundle.sig", [publisher.public for publisher in publishers])


def test_a_signed_bundle_is_verified_wherever_it_lies(
    copy: Path, publisher: Publisher, stranger: Publisher
) -> None:
    """One known key is enough, the folder's name does not matter, and the signature may lie elsewhere."""
    assert verify(copy, stranger, publisher) == publisher.public
    elsewhere = (copy / "bundle.sig").rename(copy.parent / "signature")
    assert verify_bundle(copy, elsewhere, [publisher.public]) == publisher.public


def test_signing_again_replaces_the_signature(copy: Path, publisher: Publisher, stranger: Publisher) -> None:
    """A bundle has one signature, the last one."""
    sign_bundle(copy, stranger.private)
    assert verify(copy, publisher, stranger) == stranger.public


def _link(folder: Path) -> None:
    target = (folder / "tokenizer.json").rename(folder.parent / "elsewhere")
    (folder / "tokenizer.json").symlink_to(target)


BROKEN: list[tuple[str, Callable[[Path], object]]] = [
    ("bundle.json is not what was signed", lambda d: write_bundle(d, version="2")),
    ("tokenizer.json is not what was signed", lambda d: (d / "tokenizer.json").write_text("{ }")),
    ("tokenizer.json is missing", lambda d: (d / "tokenizer.json").unlink()),
    ("readme.md is in the folder", lambda d: (d / "readme.md").write_text("")),
    (".gitignore is in the folder", lambda d: (d / ".gitignore").write_text("")),
    ("more is in the folder", lambda d: (d / "more").mkdir()),
    ("tokenizer.json is no regular file", _link),
    ("the bundle is unsigned", lambda d: (d / "bundle.sig").unlink()),
    ("bundle.sig has 0 bytes", lambda d: (d / "bundle.sig").write_bytes(b"")),
    ("bundle.sig has 300000 bytes", lambda d: (d / "bundle.sig").write_bytes(b" " * 300_000)),
    ("bundle.sig is no signature", lambda d: (d / "bundle.sig").write_bytes(b"\x80garbage")),
    ("bundle.sig is no signature", lambda d: (d / "bundle.sig").write_bytes(b"[" * 200_000)),
    ("bundle.sig is no signature", lambda d: (d / "bundle.sig").write_bytes(b"{}")),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "change"), BROKEN, ids=[row[0] for row in BROKEN])
def test_what_was_not_signed_is_refused(
    copy: Path, publisher: Publisher, sentence: str, change: Callable[[Path], object]
) -> None:
    """Changed, missing, extra and linked files, no signature and no sense in it: each is named."""
    change(copy)
    with pytest.raises(SignatureError, match=sentence):
        verify(copy, publisher)


def _said(data: bytes) -> object:
    """The signed payload, decoded, with what stands around it; the bytes themselves when they are no signature."""
    try:
        parsed = json.loads(data)
        parsed["dsseEnvelope"]["payload"] = base64.b64decode(parsed["dsseEnvelope"]["payload"])
    except (ValueError, KeyError, TypeError):
        return data
    return parsed


@given(name=st.sampled_from(FILES), place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_refused(
    signed: Path,
    publisher: Publisher,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    place: int,
    bit: int,
) -> None:
    """No file has a byte that may change, but for bits of the signature's base64 that mean nothing."""
    folder = Path(shutil.copytree(signed, tmp_path_factory.mktemp("flipped") / "bundle"))
    data = bytearray((folder / name).read_bytes())
    before = _said(bytes(data))
    data[place % len(data)] ^= 1 << bit
    assume(_said(bytes(data)) != before)
    (folder / name).write_bytes(data)
    with pytest.raises(SignatureError):
        verify(folder, publisher)


def test_other_keys_do_not_verify(copy: Path, publisher: Publisher, stranger: Publisher) -> None:
    """A stranger's key, no key at all, and a file that is no key are refused in words."""
    with pytest.raises(SignatureError, match=r"bundle\.sig was not made with the key stranger\.pem"):
        verify(copy, stranger)
    with pytest.raises(SignatureError, match="no publisher's key is known here"):
        verify(copy)
    with pytest.raises(SignatureError, match=r"bundle\.json is no elliptic public key in PEM"):
        verify_bundle(copy, copy / "bundle.sig", [copy / "bundle.json"])
    hidden = json.loads((copy / "bundle.sig").read_text())
    hidden["verificationMaterial"]["publicKey"] = {}
    (copy / "bundle.sig").write_text(json.dumps(hidden))
    with pytest.raises(SignatureError, match=r"no valid signature by the key stranger\.pem"):
        verify(copy, stranger)
    assert verify(copy, stranger, publisher) == publisher.public


def test_no_sentence_names_a_folder_of_the_vehicle(copy: Path) -> None:
    """The cluster hears it: what cannot be read is named without the path to it."""
    with pytest.raises(SignatureError, match=r"^copy is no elliptic public key in PEM: Is a directory$"):
        verify_bundle(copy, copy / "bundle.sig", [copy])
    (copy / "bundle.json").unlink()
    with pytest.raises(SignatureError, match=r"^bundle\.json cannot be read: No such file or directory$"):
        verify_bundle(copy, copy / "bundle.sig", [])


def test_the_signature_of_another_bundle_is_refused(copy: Path, publisher: Publisher, tmp_path: Path) -> None:
    """The same publisher's signature over version 2 does not vouch for version 1."""
    write_bundle(tmp_path / "other", version="2")
    shutil.copy(sign_bundle(tmp_path / "other", publisher.private), copy)
    with pytest.raises(SignatureError, match=r"bundle\.json is not what was signed"):
        verify(copy, publisher)


def test_a_signature_that_leaves_a_file_out_is_refused(copy: Path, publisher: Publisher) -> None:
    """model-signing lets a signature name files that it ignores; a bundle's may ignore none."""
    careless = hashing.Config().set_ignored_paths(paths=["bundle.sig", "tokenizer.json"])  # type: ignore[no-untyped-call]
    signer = signing.Config().use_elliptic_key_signer(private_key=publisher.private)  # type: ignore[no-untyped-call]
    signer.set_hashing_config(careless).sign(copy, copy / "bundle.sig")
    with pytest.raises(SignatureError, match=r"bundle\.sig does not cover tokenizer\.json"):
        verify(copy, publisher)


def test_only_a_whole_bundle_is_signed_and_only_with_a_private_key(copy: Path, publisher: Publisher) -> None:
    """A file too many is told before anything is signed, and so is a key that cannot sign."""
    with pytest.raises(SignatureError, match=r"known\.pem is no elliptic private key in PEM"):
        sign_bundle(copy, publisher.public)
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(SignatureError, match=r"notes\.txt is in the folder"):
        sign_bundle(copy, publisher.private)


def test_the_verdict_of_a_process_is_its_exit_code_and_one_sentence(
    signed: Path, publisher: Publisher, stranger: Publisher
) -> None:
    """What the agent starts: 0 and the key's name, or 3 and why not."""
    command = [sys.executable, "-m", "parkade_models.signing", str(signed), str(signed / "bundle.sig")]
    for key, expected in (
        (publisher, (0, "signed with the key known.pem\n")),
        (stranger, (3, "bundle.sig was not made with the key stranger.pem\n")),
    ):
        done = subprocess.run(
            [*command, str(key.public)], stdout=subprocess.PIPE, encoding="utf-8", check=False
        )
        assert (done.returncode, done.stdout) == expected
