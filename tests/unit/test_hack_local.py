"""The pieces of a local cluster: certificates, token files and a vehicle's signal script."""

import json
from pathlib import Path

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from parkade_api import vss
from parkade_hack.local.tokens import TokenFile, TokenRefresher
from parkade_hack.local.vehicle import AWAY, PARKED, Vehicle, VehicleSpec
from parkade_hack.pki import Authority, Subject
from support.controlplane import eventually


class CountingTokens:
    """Answers TokenRequests with the number of the request."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int, str | None]] = []

    def token(
        self, service_account: str, namespace: str, seconds: int = 3600, audience: str | None = None
    ) -> str:
        """The next number."""
        self.asked.append((service_account, namespace, seconds, audience))
        return str(len(self.asked))


def test_a_server_certificate_is_trusted_for_its_names(tmp_path: Path) -> None:
    """A client that trusts the authority accepts the server under the name in its certificate."""
    authority = Authority(tmp_path, "test")
    pair = authority.issue("server", Subject("server", dns=("localhost",), is_server=True))
    store = Store([x509.load_pem_x509_certificate(authority.files.cert.read_bytes())])
    verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName("localhost"))
    assert verifier.verify(x509.load_pem_x509_certificate(pair.cert.read_bytes()), [])


def test_private_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    """Nobody else can read a private key."""
    authority = Authority(tmp_path, "test")
    pair = authority.issue("client", Subject("client"))
    assert pair.key.stat().st_mode & 0o077 == 0
    assert authority.files.key.stat().st_mode & 0o077 == 0


def test_a_vehicles_certificate_carries_its_identity_and_claims(tmp_path: Path) -> None:
    """The door reads who a vehicle is, and what was verified of it, from URI names in its certificate."""
    authority = Authority(tmp_path / "pki", "door")
    Vehicle(VehicleSpec("v1", claims={"region": "eu"}), tmp_path / "v1", authority)
    cert = x509.load_pem_x509_certificate((tmp_path / "pki" / "vehicle-v1.crt").read_bytes())
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "urn:parkade:vehicle:v1",
        "urn:parkade:claim:region:eu",
    ]


def test_what_a_vehicle_says_is_appended_to_its_script(tmp_path: Path) -> None:
    """The signal script begins parked and grows by one line each time the vehicle says something."""
    vehicle = Vehicle(VehicleSpec("v1"), tmp_path / "v1", Authority(tmp_path / "pki", "door"))
    vehicle.say({vss.SPEED: 3.5})
    lines = [json.loads(line) for line in vehicle.signals_file.read_text().splitlines()]
    assert lines == [{"signals": dict(PARKED)}, {"signals": {vss.SPEED: 3.5}}]


def test_scripts_speak_of_known_signals_only() -> None:
    """Parked and away are told in paths that Parkade reads."""
    assert {*PARKED, *AWAY} <= vss.PATHS


def test_token_files_are_written_at_once(tmp_path: Path) -> None:
    """After start the file holds a token of the right account and audience, readable by its owner only."""
    source = CountingTokens()
    file = TokenFile(tmp_path / "token", "parkade-operator", "parkade-system", "parkade-gateway")
    refresher = TokenRefresher(source, (file,))
    refresher.start()
    refresher.stop()
    assert file.path.read_text() == "1"
    assert file.path.stat().st_mode & 0o077 == 0
    assert source.asked == [("parkade-operator", "parkade-system", 3600, "parkade-gateway")]


def test_token_files_are_rewritten(tmp_path: Path) -> None:
    """A token is replaced long before it expires."""
    file = TokenFile(tmp_path / "token", "parkade-gateway", "parkade-system")
    refresher = TokenRefresher(CountingTokens(), (file,), every=0.01)
    refresher.start()
    eventually(lambda: int(file.path.read_text()) > 1, 5, "the token file is rewritten")
    refresher.stop()
