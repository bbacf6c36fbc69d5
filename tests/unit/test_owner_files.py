"""The owner's folder: documents that are refused, a revocation that stands, limits that fail closed."""

import json
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from parkade_agent.errors import JournalBroken
from parkade_agent.journal.journal import Journal
from parkade_agent.owner.files import OwnerFiles, OwnerWord
from parkade_agent.owner.keys import new_owner_key, public_half
from support.owners import Owner

Deed = Callable[[Owner], object]


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    """The owner of vehicle v1, who has said nothing yet."""
    return Owner(tmp_path)


def number_of(word: OwnerWord) -> int | None:
    """Which document counts."""
    return word.consent.number if word.consent else None


def test_a_signed_document_is_taken(owner: Owner) -> None:
    """The owner's own signature over a plain document: consent."""
    owner.says(number=7)
    word = owner.files().read()
    assert (number_of(word), word.no_consent_because, word.problem) == (7, "", "")


def _tampered(field: str, value: object) -> Deed:
    def tamper(owner: Owner) -> None:
        outer = orjson.loads(owner.signed())
        outer["document"][field] = value
        owner.folder.consent.write_bytes(orjson.dumps(outer))

    return tamper


def _raw(data: bytes) -> Deed:
    return lambda owner: owner.folder.consent.write_bytes(data)


def _changed(change: Callable[[dict[str, object]], object]) -> Deed:
    def deed(owner: Owner) -> None:
        outer = orjson.loads(owner.signed())
        change(outer)
        owner.folder.consent.write_bytes(orjson.dumps(outer))

    return deed


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        (lambda o: o.folder.consent.unlink(missing_ok=True), "has not agreed to anything yet"),
        (lambda o: o.says(key=new_owner_key()), "signature is not that of the owner's key"),
        (lambda o: o.says(vehicle="v2"), "the document is for v2, this is v1"),
        (lambda o: o.says(scopes=["public-data", "all"]), "'all' is not known"),
        (lambda o: o.says(note="hello"), "note: unknown field"),
        (lambda o: o.says(schema="parkade.dev/receipt/v1alpha1"), "schema: must be"),
        (lambda o: o.says(number=0), "number: must be a whole number"),
        (lambda o: o.says(number="1"), "number: must be a whole number"),
        (lambda o: o.says(expiresAt="2019-01-01T00:00:00Z"), "must be after grantedAt"),
        (lambda o: o.says(revoked=1), "revoked: must be true or false"),
        (_tampered("scopes", ["confidential-data"]), "signature is not"),
        (_tampered("number", 99), "signature is not"),
        (_tampered("vehicle", "v2"), "signature is not"),
        (_tampered("expiresAt", "2200-01-01T00:00:00Z"), "signature is not"),
        (_tampered("extra", None), "signature is not"),
        (_changed(lambda outer: outer.pop("signature")), "a document and its signature"),
        (_changed(lambda outer: outer.update(more=1)), "a document and its signature"),
        (_changed(lambda outer: outer.update(signature="AAAA")), "signature is not"),
        (_changed(lambda outer: outer.update(signature="no base64!")), "signature: it is no base64"),
        (_changed(lambda outer: outer.update(signature=7)), "a document and its signature"),
        (_changed(lambda outer: outer.update(document=[])), "a document and its signature"),
        (_raw(b""), "it is no JSON"),
        (_raw(b"\x00\xff"), "it is no JSON"),
        (_raw(b"[]"), "a document and its signature"),
        (_raw(b'{"document": ' + b"[" * 5000), "it is no JSON"),
        (_raw(b" " * (65 * 1024)), "a document and its signature"),
        (lambda o: (o.says(), o.folder.key.unlink()), "parkade-agent owner init"),
        (lambda o: (o.says(), o.folder.key.write_bytes(b"x")), "owner's public key cannot be read"),
        (lambda o: o.folder.consent.mkdir(), "Is a directory"),
    ],
)
def test_what_the_owner_did_not_say_is_refused(owner: Owner, deed: Deed, words: str) -> None:
    """Forged, changed, for another vehicle, unreadable: no consent, and the sentence says why."""
    deed(owner)
    word = owner.files().read()
    assert word.consent is None
    assert words in word.no_consent_because


@pytest.mark.parametrize(
    ("again", "words"),
    [
        ({"number": 4}, "4 is lower than 5"),
        ({"number": 5, "scopes": ["internal-data"]}, "5 was given to another document"),
    ],
)
def test_an_old_word_cannot_be_put_back(owner: Owner, again: dict[str, object], words: str) -> None:
    """The vehicle remembers the highest number, also after a restart; a number is good for one document."""
    owner.says(number=5)
    assert number_of(owner.files().read()) == 5
    owner.says(**again)
    word = owner.files().read()
    assert word.consent is None
    assert words in word.no_consent_because
    owner.says(number=5)
    assert number_of(owner.files().read()) == 5


def test_another_key_is_not_the_owners(owner: Owner) -> None:
    """Whoever replaces the public key does not become the owner of a vehicle that has taken its owner's word."""
    owner.says()
    assert number_of(owner.files().read()) == 1
    thief = new_owner_key()
    owner.folder.key.write_bytes(public_half(thief))
    owner.says(number=2, key=thief)
    word = owner.files().read()
    assert word.consent is None
    assert "whose word this vehicle has taken before" in word.no_consent_because


@pytest.mark.parametrize(
    "deed", [lambda o: o.folder.consent.unlink(), _raw(b"garbage"), lambda o: o.says(number=1)]
)
def test_a_revocation_stands_until_a_later_word(owner: Owner, deed: Deed) -> None:
    """Removing or spoiling the revocation, or putting the old consent back, gives nobody consent."""
    owner.says()
    owner.files().read()
    owner.says(number=2, revoked=True)
    assert owner.files().read().is_revoked
    deed(owner)
    assert owner.files().read().is_revoked
    owner.says(number=3)
    assert not owner.files().read().is_revoked


def test_a_vehicle_without_a_name_obeys_its_owners_revocation(owner: Owner) -> None:
    """A certificate that cannot be read takes no consent, and stops no owner from stopping."""
    nameless = owner.files(vehicle="")
    owner.says()
    assert nameless.read().consent is None
    owner.says(number=2, revoked=True, key=new_owner_key())
    assert nameless.glance(OwnerWord()).consent is None
    owner.says(number=2, revoked=True)
    assert nameless.glance(OwnerWord()).is_revoked
    assert nameless.read().is_revoked
    owner.says(number=2, vehicle="v2", revoked=True)
    assert owner.files().glance(OwnerWord()).consent is None


class _Broken:
    """A journal on a disk that is full."""

    def recall(self, name: str) -> str | None:
        """Fails."""
        raise JournalBroken(f"no {name}: the disk is full")

    def remember(self, name: str, text: str) -> None:
        """Fails, too."""
        raise JournalBroken(f"no {name}={text}: the disk is full")


def test_without_memory_nobody_agrees_but_everybody_revokes(owner: Owner) -> None:
    """A consent that might be an old one does not count; a revocation counts whatever the disk says."""
    files = OwnerFiles(owner.folder, lambda: "v1", _Broken())
    owner.says()
    assert "the disk is full" in files.read().no_consent_because
    owner.says(number=2, revoked=True)
    assert files.read().is_revoked


def test_a_consent_that_was_noted_outlives_the_journal(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that can be written no more forbids new work, it takes back nobody's word; a new word it cannot take."""
    owner.says()
    files = owner.files()
    assert number_of(files.read()) == 1
    monkeypatch.setattr(Journal, "recall", _Broken.recall)
    assert number_of(files.read()) == 1
    monkeypatch.setattr(files, "vehicle", lambda: "v2")
    assert "this is v2" in files.read().no_consent_because
    monkeypatch.setattr(files, "vehicle", lambda: "v1")
    owner.says(number=2)
    word = files.read()
    assert word.consent is None
    assert "the disk is full" in word.no_consent_because


def test_a_damaged_note_counts_for_nothing(owner: Owner) -> None:
    """What cannot be read of the past is no reason to believe in a document."""
    owner.says()
    Journal(owner.state / "journal.sqlite").remember("owner.consent", "{")
    word = owner.files().read()
    assert word.consent is None
    assert "note owner.consent is damaged" in word.no_consent_because


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("limits.json", "{", "limits.json: line 1: it is no JSON"),
        ("limits.json", "[]", "limits.json: must be an object"),
        ("limits.json", '{"maxLane": 1}', "maxLane: unknown field, perhaps maxLanes"),
        ("limits.json", '{"colour": 1}', "colour: unknown field; the fields are minStateOfChargePercent"),
        ("limits.json", '{"maxLanes": 0}', "maxLanes: must be greater than or equal to 1, not 0"),
        ("limits.json", '{"maxLanes": "2"}', 'maxLanes: must be a valid integer, not "2"'),
        ("limits.json", '{"maxPowerWatts": -5}', "maxPowerWatts: must be greater than 0, not -5"),
        ("limits.json", '{"minStateOfChargePercent": 101}', "must be less than or equal to 100, not 101"),
        ("limits.json", '{"hours": ["always"]}', "hours.0: 'always' are no hours"),
        ("limits.json", '{"places": ["moon"]}', "places.0: 'moon' is no place"),
        (
            "limits.json",
            '{"minBatteryCelsius": 9, "maxBatteryCelsius": 8}',
            "must be below maxBatteryCelsius 8",
        ),
        ("limits.json", '"' + "x" * (65 * 1024) + '"', "it has more than 65536 bytes"),
        ("places.json", '{"moon": {}}', "places.json: moon: 'moon' is no place"),
        ("places.json", '{"home": {"latitude": 1, "longitude": 2}}', "home.radiusMetres: missing"),
        (
            "places.json",
            '{"home": {"latitude": "52.377956", "longitude": 2, "radiusMetres": 50}}',
            "home.latitude: must be a valid number",
        ),
    ],
)
def test_a_file_of_nonsense_stops_all_work(owner: Owner, name: str, text: str, words: str) -> None:
    """A cap that cannot be understood is no reason to work without it; the sentence names file, field and cure."""
    (owner.folder.root / name).write_text(text, encoding="utf-8")
    word = owner.files().read()
    assert words in word.problem
    assert "52.377956" not in word.problem
    assert str(owner.folder.root) in word.problem


def test_caps_and_places_are_read(owner: Owner) -> None:
    """Fields are written as in a pool's spec, hours as people say them."""
    limits = {"maxLanes": 2, "maxPowerWatts": 40, "hours": ["22:00-06:00"], "places": ["home"]}
    owner.folder.limits.write_text(json.dumps(limits), encoding="utf-8")
    home = {"home": {"latitude": 52.1, "longitude": 4.3, "radiusMetres": 80}}
    owner.folder.places.write_text(json.dumps(home), encoding="utf-8")
    word = owner.files().read()
    assert (word.problem, word.limits.max_lanes, word.limits.max_power_watts) == ("", 2, 40)
    assert (word.limits.hours[0].duration, word.limits.places) == (8 * 3600, {"home"})
    assert [(place.name, place.radius) for place in word.places] == [("home", 80)]


def test_another_name_is_another_vehicle(owner: Owner) -> None:
    """After an enrolment anew the consent for the old name counts no more, and one for the new name does."""
    name = "v1"
    files = OwnerFiles(owner.folder, lambda: name, Journal(owner.state / "journal.sqlite"))
    owner.says()
    assert number_of(files.read()) == 1
    name = "v2"
    word = files.read()
    assert (word.consent, "for v1, this is v2" in word.no_consent_because) == (None, True)
    owner.says(number=2, vehicle="v2")
    assert number_of(files.read()) == 2


@pytest.mark.parametrize(
    ("text", "words"), [("", "the owner paused"), ("holiday\x1b[2J\n", "the owner paused: holiday\\u001b[2J")]
)
def test_a_pause_says_why(owner: Owner, text: str, words: str) -> None:
    """The file alone pauses; its text is shown without what could harm a terminal."""
    owner.folder.pause.write_text(text, encoding="utf-8")
    assert owner.files().read().paused_because == words
