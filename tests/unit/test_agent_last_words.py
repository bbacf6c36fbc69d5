"""The last words of a program, whatever lies where they should be."""

import os
from pathlib import Path

import pytest

from parkade_agent.runtime.last_words import MOST_BYTES, LastWords, read_last_words


def test_the_newest_sentence_is_read(tmp_path: Path) -> None:
    """Each sentence takes the place of the one before."""
    words = LastWords(tmp_path / "words")
    words.say("while loading a model of a very long name")
    words.say("no.")
    assert read_last_words(tmp_path / "words") == "no."


def test_nobody_need_listen(tmp_path: Path) -> None:
    """Without a file, or on a disk that takes nothing, a program goes on."""
    LastWords(None).say("to nobody")
    LastWords(tmp_path / "absent" / "words").say("to nobody")


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (b"", ""),
        (b"one\nline\r\n\tonly\x1b[31m", "one line only [31m"),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
        (b"x" * 1_000_000, "x" * MOST_BYTES),
    ],
)
def test_it_is_one_bounded_line_of_text(tmp_path: Path, content: bytes, read: str) -> None:
    """Whoever wrote it ran a stranger's model."""
    (tmp_path / "words").write_bytes(content)
    assert read_last_words(tmp_path / "words") == read


def test_only_a_plain_file_is_read(tmp_path: Path) -> None:
    """A link, a pipe, a folder and nothing at all have no last words, and hold nobody up."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder", "absent"):
        assert read_last_words(tmp_path / name) == ""
