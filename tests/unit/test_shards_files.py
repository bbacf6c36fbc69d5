"""The file root: a namespace's URIs reach its own folder and nothing else."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from parkade_operator.shards.errors import FileRefused
from parkade_operator.shards.files import FileRoot, join


@pytest.fixture
def files(tmp_path: Path) -> FileRoot:
    """A root with a file in each of two namespaces, a secret beside it, and links that lead astray."""
    root = tmp_path / "root"
    for namespace in ("team", "other"):
        (root / namespace / "deep").mkdir(parents=True)
        (root / namespace / "deep" / "a b.txt").write_text(namespace)
    (tmp_path / "secret").write_text("secret")
    (root / "team" / "link").symlink_to(tmp_path / "secret")
    (root / "team" / "folder-link").symlink_to(root / "other" / "deep")
    (root / "linked-namespace").symlink_to(root / "other")
    os.mkfifo(root / "team" / "pipe")
    return FileRoot(root)


def test_a_uri_names_a_file_of_its_namespace(files: FileRoot) -> None:
    """The same URI is another file in another namespace; percent-encoding is undone."""
    for namespace in ("team", "other"):
        with files.open(namespace, "file:///deep/a%20b.txt") as file:
            assert file.read() == namespace.encode()


def test_without_a_root_every_uri_is_refused_in_words() -> None:
    """A gateway that was given no file root says so, for reading and for writing."""
    files = FileRoot(None)
    with pytest.raises(FileRefused, match="no file root"), files.open("team", "file:///docs.jsonl"):
        pass
    with pytest.raises(FileRefused, match="no file root"):
        files.create("team", "file:///out", [b""])


@pytest.mark.parametrize(
    "uri",
    [
        "file:///../other/deep/a%20b.txt",
        "file:///deep/%2e%2e/%2e%2e/other/deep/a%20b.txt",
        "file:///deep%2f..%2f..%2fother",
        "file:///./deep",
        "file:////etc/passwd",
        "file:///deep/",
        "file:///nul%00byte",
        "file:///%ff",
        "file://localhost/deep",
        "file:deep",
        "file:///deep?x=1",
        "file://[/x",
        "s3://bucket/docs.jsonl",
        "/etc/passwd",
        "",
    ],
)
def test_uris_that_are_not_plain_paths_are_refused(files: FileRoot, uri: str) -> None:
    """Dots, separators in disguise, hosts and other schemes never reach the file system."""
    with pytest.raises(FileRefused), files.open("team", uri):
        pass


def open_paths() -> Iterator[Path]:
    """Where the descriptors of this process lead."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            yield descriptor.readlink()


@pytest.mark.parametrize(
    "uri", ["file:///link", "file:///folder-link/a%20b.txt", "file:///pipe", "file:///deep"]
)
def test_links_and_odd_files_are_refused(files: FileRoot, uri: str) -> None:
    """Symbolic links anywhere in the path, pipes and folders are not opened, and no descriptor is left behind."""
    with pytest.raises((OSError, FileRefused)), files.open("team", uri):
        pass
    with pytest.raises(NotADirectoryError), files.open("linked-namespace", "file:///deep/a%20b.txt"):
        pass
    assert [path for path in open_paths() if path.is_relative_to(files.root.parent)] == []


@pytest.mark.parametrize("namespace", ["..", "", ".", "team/deep", "TEAM"])
def test_only_namespaces_are_folders(files: FileRoot, namespace: str) -> None:
    """A namespace that is no DNS label is refused."""
    with pytest.raises(FileRefused, match="no namespace"), files.open(namespace, "file:///deep/a%20b.txt"):
        pass


def test_outputs_are_created_once_in_folders_of_their_own(files: FileRoot) -> None:
    """Folders are made as needed; a second create leaves the first bytes."""
    uri = join("file:///new/results/", "output.jsonl")
    files.create("team", uri, [b"one"])
    with pytest.raises(FileExistsError):
        files.create("team", uri, [b"two"])
    with files.open("team", uri) as file:
        assert file.read() == b"one"
    with pytest.raises(NotADirectoryError):
        files.create("team", "file:///folder-link/x", [b"astray"])
    assert not (files.root / "other" / "deep" / "x").exists()


def test_joining_keeps_one_slash() -> None:
    """A folder may be named with or without the slash at its end."""
    assert join("file:///results", "x") == join("file:///results/", "x") == "file:///results/x"
    assert join("file:///", "x") == "file:///x"
