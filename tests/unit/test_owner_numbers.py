"""The number of the owner's next document: above every one that was given out, whatever has been lost since."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from parkade_agent.journal.journal import Journal
from parkade_agent.owner.consenting import Wishes, granted, revoked
from parkade_agent.owner.files import OwnerFiles
from parkade_agent.owner.receipts import Receipts
from parkade_agent.owner.wiping import Wiped
from parkade_hack.pki import Authority, KeyPair, Subject
from support.owners import Owner

WISHES = Wishes(terms="2", scopes=["public-data"])


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    """The owner of vehicle v1, who has said nothing yet."""
    return Owner(tmp_path / "state")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    """Key and certificate of vehicle v1."""
    subject = Subject("v1", uris=("urn:parkade:vehicle:v1",))
    return Authority(tmp_path_factory.mktemp("pki"), "ca").issue("v1", subject)


def moved(owner: Owner) -> OwnerFiles:
    """The owner's folder in another vehicle, v2, whose journal is new."""
    return OwnerFiles(owner.folder, lambda: "v2", Journal(owner.state / "new.sqlite"))


def next_numbers(files: OwnerFiles) -> list[object]:
    """The numbers that a consent and a revocation would have now."""
    return [granted(files, WISHES, time.time())["number"], revoked(files, time.time())["number"]]


@pytest.mark.parametrize(
    ("deed", "highest"),
    [
        (lambda o: o.folder.consent.unlink(missing_ok=True), 0),
        (lambda o: o.says(number=4), 4),
        (lambda o: (o.says(number=4), o.files().read(), o.says(number=2)), 4),
        (lambda o: (o.says(number=4), o.files().read(), o.folder.consent.unlink()), 4),
        (lambda o: o.says(number=7, vehicle="v9"), 7),
        (lambda o: o.says(number=7, note="of a newer release"), 7),
        (lambda o: o.says(number="7"), 0),
        (lambda o: (o.says(number=7), o.folder.key.write_bytes(b"x")), 0),
        (lambda o: (o.says(number=5), o.files().read(), o.folder.consent.write_bytes(b"{")), 5),
    ],
)
def test_the_next_number_is_above_all_that_was_said(
    owner: Owner, deed: Callable[[Owner], object], highest: int
) -> None:
    """By the journal and by the file, if the owner signed it, whether this vehicle would take it or not."""
    deed(owner)
    assert next_numbers(owner.files()) == [highest + 1] * 2


def test_a_folder_that_moves_to_another_vehicle_takes_its_numbers_along(owner: Owner, pair: KeyPair) -> None:
    """Its receipts count, so that no revocation is taken for one that was answered; what is none does not count."""
    Receipts(owner.folder, pair.cert, pair.key).leave(8, Wiped(), time.time())
    (owner.folder.receipts / "revocation-99.json").write_text("{}")
    (owner.folder.receipts / "revocation-100.json").mkdir()
    assert next_numbers(moved(owner)) == [9, 9]


def test_a_receipt_is_found_without_the_certificate(owner: Owner, pair: KeyPair) -> None:
    """A running agent may have its certificate where the owner's command does not look."""
    Receipts(owner.folder, pair.cert, pair.key).leave(8, Wiped(files=3), time.time())
    found = Receipts(owner.folder, owner.state / "nowhere.pem", pair.key).left(8)
    assert found is not None
    assert found.wiped.files == 3


def test_a_journal_that_cannot_be_read_lowers_no_number(owner: Owner) -> None:
    """The document in the file was noted before: a revocation below it would be forgotten with the next start."""
    owner.says(number=5)
    owner.files().read()
    (owner.state / "journal.sqlite").write_bytes(b"no database at all, " * 300)
    assert next_numbers(owner.files()) == [6, 6]


def test_a_revocation_with_a_number_too_low_stops_from_the_start(owner: Owner) -> None:
    """Whoever signed it while nobody knew better has said stop, and an agent that starts later reads it so at once."""
    owner.says(number=5)
    owner.files().read()
    owner.says(number=1, revoked=True)
    word = owner.files().read()
    assert word.is_revoked
    assert "1 is lower than 5" in word.no_consent_because
