"""The owner's command line: key, consent, what is shown, and a revocation while no agent runs."""

import fcntl
import json
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from parkade_agent.journal.attempts import Attempt, Fate
from parkade_agent.journal.journal import Journal
from parkade_agent.owner import command, verbs
from parkade_agent.owner.presence import AlreadyRunning, claimed, is_running
from parkade_agent.owner.receipts import BadReceipt, verified
from parkade_agent.owner.view import write_view
from parkade_agent.owner.wiping import Wiped
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_hack.pki import Authority, Subject
from support.owner_line import VIEW, Line
from support.owners import Owner

GRANT = ("consent", "grant", "--terms", "2", "--scope", "public-data")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs vehicles' certificates."""
    return Authority(tmp_path_factory.mktemp("pki"), "door-ca")


@pytest.fixture
def line(tmp_path: Path, authority: Authority, capsys: pytest.CaptureFixture[str]) -> Line:
    """The owner of the enrolled vehicle v1, whose key was made."""
    state = tmp_path / "state"
    (state / "identity").mkdir(parents=True)
    pair = authority.issue(f"v1-{tmp_path.name}", Subject("v1", uris=("urn:parkade:vehicle:v1",)))
    (state / "identity" / "certificate.pem").write_bytes(pair.cert.read_bytes())
    (state / "identity" / "key.pem").write_bytes(pair.key.read_bytes())
    line = Line(state, capsys)
    assert "sha256:" in line("owner", "init", key=True)
    return line


def document_of(line: Line) -> dict[str, object]:
    """The document that counts."""
    shown: dict[str, object] = json.loads(line("consent", "show", "-o", "json"))["consent"]
    return shown


def test_the_owners_key_is_made_once(line: Line) -> None:
    """The private half is the owner's alone and never overwritten; the vehicle has one owner."""
    assert line.key.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" in line.key.read_bytes()
    assert b"PRIVATE" not in (line.state / "owner" / "key.pem").read_bytes()
    assert "a vehicle has one owner" in line.refused("owner", "init", "--key", str(line.state / "other"))
    (line.state / "owner" / "key.pem").unlink()
    assert "put it back" in line.refused("owner", "init", "--key", str(line.state / "other"))
    (line.state / "journal.sqlite").unlink()
    (line.state / "owner" / "mounted").unlink()
    assert "File exists" in line.refused("owner", "init", key=True)


def test_consent_is_granted_narrowed_renewed(line: Line) -> None:
    """Each word has the next number; narrowing keeps the end, renewing moves it."""
    assert "Consent 1: terms 2, internal-data, public-data" in line(
        *GRANT, "--scope", "internal-data", key=True
    )
    granted = document_of(line)
    assert "Consent 2" in line(
        "consent", "narrow", "--scope", "public-data", "--hours", "22:00-06:00", "--place", "home", key=True
    )
    narrowed = document_of(line)
    assert narrowed["scopes"] == ["public-data"]
    assert (narrowed["hours"], narrowed["places"]) == (["22:00-06:00"], ["home"])
    assert narrowed["expiresAt"] == granted["expiresAt"]
    assert "Consent 3" in line("consent", "narrow", "--hours", "mon-fri 23:00-05:00", key=True)
    assert "Consent 4" in line("consent", "renew", "--for", "30d", key=True)
    renewed = document_of(line)
    assert renewed["hours"] == ["mon-fri 23:00-05:00"]
    given, ends = (datetime.fromisoformat(str(renewed[name])) for name in ("grantedAt", "expiresAt"))
    assert (ends - given).days == 30
    shown = line("consent", "show")
    assert "hours               mon-fri 23:00-05:00" in shown
    assert "% of the pool's cap of the day; a pool without one is limited by maxEnergyWhPerDay alone" in shown


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("consent", "narrow"), "say what you take back"),
        (("consent", "narrow", "--scope", "internal-data"), "internal-data would be more than was agreed to"),
        (("consent", "narrow", "--place", "work"), "work would be more"),
        (("consent", "narrow", "--hours", "21:00-06:00"), "21:00-06:00 would be more than 22:00-06:00"),
        (("consent", "narrow", "--hours", "at night"), "'at night' are no hours"),
        (("consent", "narrow", "--energy-share", "60"), "60 % would be more than 50 %"),
        (("consent", "renew", "--for", "for ever"), "is no length of time: write 12h or 365d"),
        ((*GRANT, "--hours", "night"), "hours: 'night' are no hours"),
        ((*GRANT, "--place", "moon"), "places: 'moon' is not known"),
        ((*GRANT, "--energy-share", "0"), "energySharePercent: must be a whole number from 1 to 100"),
        (("consent", "grant", "--terms", "2"), "say what you agree to"),
    ],
)
def test_what_cannot_be_meant_is_said_so(line: Line, asked: tuple[str, ...], words: str) -> None:
    """A wish that would give more than it says, or nothing, changes nothing."""
    line(*GRANT, "--place", "home", "--hours", "22:00-06:00", "--energy-share", "50", key=True)
    assert words in line.refused(*asked, key=True)
    assert document_of(line)["number"] == 1


def test_nothing_can_be_changed_before_it_is_granted(line: Line) -> None:
    """Renew and narrow need something to start from."""
    assert "has not agreed to anything yet" in line.refused("consent", "renew", key=True)
    assert "open question" in line("consent", "show")


def test_only_the_owners_key_speaks(line: Line, tmp_path: Path) -> None:
    """Another key, or a file that is none, signs nothing that the vehicle would take."""
    other = Owner(tmp_path / "other")
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(other.key)
    assert "which is not this vehicle's owner's" in line.refused(*GRANT, "--key", str(stranger))
    stranger.write_bytes(b"hello")
    assert "the owner's key cannot be read" in line.refused(*GRANT, "--key", str(stranger))
    assert "No such file" in line.refused(*GRANT, "--key", str(tmp_path / "none.pem"))


def test_revoking_wipes_and_leaves_a_receipt(line: Line) -> None:
    """While no agent runs, offline, the command wipes itself; the receipt bears the vehicle's signature."""
    line(*GRANT, key=True)
    for place, data in (
        ("slots/pod-1/work/shard", b"12345"),
        ("results/a", b"678"),
        ("bundles/b/model.onnx", b"9"),
        ("sockets/sidecar/left", b""),
    ):
        path = line.state / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    journal = Journal(line.state / "journal.sqlite")
    journal.attempts.take([Attempt("pod-1", "batch-1", "lease-1", pb.LeasedShard(shard=1, attempt="a"))])
    said = line("consent", "revoke", key=True)
    assert journal.attempts.open() == []
    assert "Revoked (number 2). 4 files with 9 bytes were removed" in said
    others = ("slots", "results", "bundles", "sockets/sidecar")
    assert [path for name in others for path in (line.state / name).iterdir()] == []
    data = (line.state / "owner" / "receipts" / "revocation-2.json").read_bytes()
    receipt = verified(data)
    assert (receipt.vehicle, receipt.number, receipt.wiped) == ("v1", 2, Wiped(4, 9))
    for before, after in (
        (b'"bytes": 9', b'"bytes": 0'),
        (b'"v1"', b'"v2"'),
        (b'"revocation": 2', b'"revocation": 3'),
    ):
        assert before in data
        with pytest.raises(BadReceipt):
            verified(data.replace(before, after))
    (line.state / "owner" / "receipts" / "revocation-10.json").write_bytes(data.replace(b"v1", b"v2"))
    good, bad = line("consent", "receipts").splitlines()
    assert good.startswith("revocation-2.json: vehicle v1 removed 4 files, 9 bytes, at 20")
    assert bad == "revocation-10.json: the signature is not that of the vehicle's certificate"
    assert document_of(line) == {"revoked": True, "because": ""}
    assert "Consent 3" in line(*GRANT, key=True)


def test_who_only_looks_is_no_agent(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `status` that asks just then whether an agent runs keeps no revocation from wiping by itself."""
    monkeypatch.setattr(verbs, "_GLANCE_SECONDS", 20.0)
    (line.state / "agent.lock").touch()
    looking = os.open(line.state / "agent.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    timer = threading.Timer(0.1, os.close, (looking,))
    timer.start()
    assert "the receipt, signed by vehicle v1" in line("consent", "revoke", key=True)
    timer.join()


def test_a_key_that_fits_no_certificate_signs_nothing(line: Line) -> None:
    """A receipt that nobody could verify is not left; the word is told, and asked for again."""
    line(*GRANT, key=True)
    other = Authority(line.state.parent / "other", "ca").issue("v1", Subject("v1"))
    (line.state / "identity" / "key.pem").write_bytes(other.key.read_bytes())
    assert "the signature is not that of the vehicle's certificate" in line.refused(
        "consent", "revoke", key=True
    )
    assert line("consent", "receipts") == "No consent was revoked here."


def test_a_state_folder_has_one_agent(tmp_path: Path) -> None:
    """Whoever comes second is told so, and the kernel knows when the first has gone."""
    assert not is_running(tmp_path)
    with claimed(tmp_path):
        assert is_running(tmp_path)
        with pytest.raises(AlreadyRunning, match="another agent works on"), claimed(tmp_path, 0.1):
            pass
    assert not is_running(tmp_path)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"document": {}, "signature": ""}', b"\xff"])
def test_what_is_no_receipt_is_said_so(data: bytes) -> None:
    """Anybody can check a receipt without trusting whoever sent it."""
    with pytest.raises(BadReceipt):
        verified(data)


def test_the_owner_sees_why(line: Line) -> None:
    """Causes in order with their cure; whose word it is and of when, if the agent does not run."""
    assert line("explain") == "No agent has run here yet."
    view = replace(VIEW, at=datetime.now(UTC).timestamp())
    write_view(line.state / "guard.json", view)
    gone = line("explain")
    assert gone.startswith("Vehicle v1: the agent does not run, so nothing is computed. At ")
    with claimed(line.state):
        assert line("explain") == "\n".join(("Vehicle v1:", *VIEW.lines, "No work was finished here yet."))
        write_view(line.state / "guard.json", VIEW)
        assert "the agent has said nothing for" in line("explain")
        status = line("status")
    assert "agent          runs" in status
    assert "energy today   12.3 Wh" in status
    assert (
        "question       the pool asks for terms 3, the owner agreed to 2: parkade-agent consent grant --terms 3"
        in status
    )
    shown = json.loads(line("explain", "-o", "json"))
    assert (shown["running"], shown["guard"]["causes"][0]["reason"]) == (False, "NoConsent")


def test_the_owner_sees_what_became_of_the_work(line: Line) -> None:
    """Records of the shards that were finished last, by their fate; a broken journal hides nothing else."""
    write_view(line.state / "guard.json", VIEW)
    journal = Journal(line.state / "journal.sqlite")
    journal.attempts.take(
        [Attempt("p", "b", "l", pb.LeasedShard(shard=n, attempt=f"a{n}")) for n in range(4)]
    )
    for number in range(3):
        journal.attempts.finish(f"a{number}", vehicle_pb2.ShardOutcome(succeeded=10 + number, failed=1))
    journal.attempts.settle([("a0", Fate.COMMITTED), ("a1", Fate.LOST), ("a3", Fate.RETURNED)])
    journal.close()
    words = "11 accepted, 12 lost to a vehicle that was first, 13 not answered yet"
    assert f"Shards finished last: 3, with 36 records: {words}." in line("explain")
    assert json.loads(line("explain", "-o", "json"))["records"]["Committed"] == 11
    journal.path.write_bytes(b"no database at all, " * 300)
    said = line("explain")
    assert VIEW.lines[1] in said
    assert "What became of its work is not known" in said


@pytest.mark.parametrize("text", ["", "{", "[]", '{"vehicle": "v1"}'])
def test_a_view_that_cannot_be_read_is_none(line: Line, text: str) -> None:
    """What another version or a cut left there is not shown."""
    (line.state / "guard.json").write_text(text, encoding="utf-8")
    assert line("explain") == "No agent has run here yet."


def test_a_vehicle_without_a_name_is_asked_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before enrolment the owner says which vehicle is meant; nothing has run, so there is nothing to sign."""
    line = Line(tmp_path / "new", capsys)
    line("owner", "init", key=True)
    assert "enrol it, or say --vehicle ID" in line.refused(*GRANT, key=True)
    assert "Consent 1" in line(*GRANT, "--vehicle", "v9", key=True)
    assert "never enrolled" in line("consent", "revoke", "--vehicle", "v9", key=True)


def test_a_line_that_says_no_folder_is_not_understood(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the sentence names flag and variable."""
    monkeypatch.delenv("PARKADE_STATE_DIR", raising=False)
    assert command.main(["explain"]) == 2
    assert "--state-dir or PARKADE_STATE_DIR" in capsys.readouterr().err
