"""Who is at the door: exactly one vehicle, as its certificate says."""

import re
from pathlib import Path

import pytest

from parkade_hack.pki import Authority, Subject
from parkade_operator.door.tls import Identity, NoIdentity, identity_of

VEHICLE = "urn:parkade:vehicle:"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority for vehicles."""
    return Authority(tmp_path_factory.mktemp("ca"), "vehicles")


def certificate(authority: Authority, *uris: str, dns: tuple[str, ...] = ()) -> bytes:
    """A client certificate with these names, in PEM."""
    pair = authority.issue("vehicle", Subject("vehicle-common", uris=uris, dns=dns))
    pem = pair.cert.read_bytes()
    Path(pair.key).unlink()
    return pem


def test_a_certificate_names_a_vehicle_and_its_claims(authority: Authority) -> None:
    """Claims become Node labels of our group; a value may hold colons."""
    uris = (VEHICLE + "v1", "urn:parkade:claim:region:eu", "urn:parkade:claim:owner:a:b", "urn:other:thing")
    claims = {"parkade.dev/region": "eu", "parkade.dev/owner": "a:b"}
    found = identity_of(certificate(authority, *uris))
    assert (found.vehicle, found.claims) == ("v1", claims)


def test_a_vehicle_needs_no_claims(authority: Authority) -> None:
    """A certificate with a vehicle alone is enough."""
    found = identity_of(certificate(authority, VEHICLE + "v1", dns=("v1.example",)))
    assert found == Identity("v1", {}, expires_at=found.expires_at)


@pytest.mark.parametrize(
    ("uris", "moment"),
    [((), 0.0), (("1797932473123",), 1797932473.123), (("soon",), 0.0), (("1", "2"), 0.0)],
)
def test_a_certificate_says_when_its_vehicle_was_enrolled(
    authority: Authority, uris: tuple[str, ...], moment: float
) -> None:
    """To the millisecond; without one clear moment it counts as long ago, so that any revocation reaches it."""
    enrolled = [f"urn:parkade:enrolled:{text}" for text in uris]
    assert identity_of(certificate(authority, VEHICLE + "v1", *enrolled)).enrolled_at == moment


@pytest.mark.parametrize(
    ("uris", "dns", "sentence"),
    [
        ((), (), "no subject alternative name"),
        ((), ("vehicle-v1",), "must name one vehicle, as urn:parkade:vehicle:<id>; it names []"),
        (("urn:parkade:claim:region:eu",), (), "it names []"),
        ((VEHICLE + "v1", VEHICLE + "v2"), (), "it names ['v1', 'v2']"),
        ((VEHICLE,), (), "it names ['']"),
        ((VEHICLE + "V1/../x",), (), "it names ['V1/../x']"),
    ],
)
def test_a_certificate_of_no_one_vehicle_is_refused(
    authority: Authority, uris: tuple[str, ...], dns: tuple[str, ...], sentence: str
) -> None:
    """The common name is no identity, and two vehicles are none."""
    with pytest.raises(NoIdentity, match=re.escape(sentence)):
        identity_of(certificate(authority, *uris, dns=dns))
