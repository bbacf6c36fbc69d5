"""The follower of the owner's files: it hears every change, and stops work before it asks the journal anything."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typing_extensions import override

from parkade_agent.journal.journal import Journal
from parkade_agent.owner.files import OwnerFiles, OwnerWord
from parkade_agent.owner.follower import OwnerFollower
from support.owners import Owner


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    """The owner of vehicle v1, who has said nothing yet."""
    return Owner(tmp_path)


def test_the_follower_hears_every_change(owner: Owner) -> None:
    """Grant, pause, and a broken file reach the guard without anybody asking."""
    follower, heard = OwnerFollower(owner.files()), threading.Event()
    assert follower.word.consent is None
    follower.start(heard.set)
    try:
        for deed, is_seen in (
            (owner.says, lambda word: word.consent),
            (owner.folder.pause.touch, lambda word: word.paused_because),
            (owner.folder.pause.unlink, lambda word: not word.paused_because),
            (lambda: owner.folder.limits.write_bytes(b"{"), lambda word: word.problem),
            (lambda: owner.says(number=2, revoked=True), lambda word: word.is_revoked),
        ):
            deed()
            assert heard.wait(10)
            heard.clear()
            assert is_seen(follower.word)
    finally:
        follower.stop()


def test_a_new_name_is_heard_of_at_once(owner: Owner) -> None:
    """No file of the owner's has changed, but the vehicle was enrolled anew: the consent for its old name is over."""
    name, heard = "v1", threading.Event()
    owner.says()
    follower = OwnerFollower(OwnerFiles(owner.folder, lambda: name, Journal(owner.state / "journal.sqlite")))
    assert follower.word.consent is not None
    follower.start(heard.set)
    try:
        name = "v2"
        follower.read_again()
        assert heard.wait(5)  # half of what it takes by itself
        assert follower.word.consent is None
    finally:
        follower.stop()


def test_a_reader_that_breaks_allows_nothing(owner: Owner) -> None:
    """Whatever goes wrong in reading the word, the follower lives on and the guard is told that nothing may run."""

    class Breaking(OwnerFiles):
        """Files that cannot even be refused."""

        def read(self) -> OwnerWord:
            """Fails as nobody expected."""
            raise RuntimeError("boom")

    follower = OwnerFollower(Breaking(owner.folder, lambda: "v1", Journal(owner.state / "journal.sqlite")))
    assert "boom" in follower.word.problem


class _Slow(Journal):
    """A journal on a disk that hangs until told."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.works = threading.Event()
        self.works.set()

    @override
    def recall(self, name: str) -> str | None:
        assert self.works.wait(20)
        return super().recall(name)


def _within(seconds: float, holds: Callable[[], object]) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return bool(holds())


@pytest.mark.parametrize(
    ("deed", "is_heard"),
    [
        (lambda owner: owner.says(number=2, revoked=True), lambda word: word.is_revoked),
        (lambda owner: owner.folder.pause.touch(), lambda word: word.paused_because),
        (lambda owner: owner.folder.limits.write_bytes(b"{"), lambda word: word.problem),
    ],
)
def test_what_stops_work_waits_for_no_disk(
    owner: Owner, deed: Callable[[Owner], object], is_heard: Callable[[OwnerWord], object]
) -> None:
    """The journal hangs, and the guard hears of a revocation, a pause or a broken file all the same, each time."""
    journal, heard = _Slow(owner.state / "journal.sqlite"), threading.Event()
    owner.says()
    follower = OwnerFollower(OwnerFiles(owner.folder, lambda: "v1", journal))
    journal.works.clear()
    follower.start(heard.set)
    try:
        owner.folder.places.write_bytes(b"{")
        assert heard.wait(10)
        heard.clear()
        owner.folder.places.unlink()
        deed(owner)
        assert _within(10, lambda: is_heard(follower.word))
    finally:
        journal.works.set()
        follower.stop()
    assert is_heard(follower.word)


def test_an_old_revocation_that_is_put_back_gives_no_consent(owner: Owner) -> None:
    """It stops work like any, also when the journal has refused it for its number."""
    owner.says(number=3)
    files = owner.files()
    assert files.read().consent is not None
    owner.says(number=2, revoked=True)
    assert files.glance(OwnerWord()).is_revoked
    word = files.read()
    assert (word.is_revoked, "2 is lower than 3" in word.no_consent_because) == (True, True)
