"""The token that `kubectl parkade enroll` prints: everything that a new vehicle needs, in one line of text."""

import base64
import binascii
from dataclasses import asdict, dataclass
from typing import Final

import orjson

PREFIX: Final = "parkade1."
_LONGEST: Final = 16 * 1024


class BadToken(Exception):
    """The text is no enrolment token; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class EnrolmentToken:
    """Where to enrol (`enrolment`), whom to trust there (`ca`, PEM), and the `secret` that is good for once.

    `door` is where the vehicle dials afterwards; both addresses are host:port.
    """

    door: str
    enrolment: str
    ca: str
    vehicle: str
    secret: str


def write_token(token: EnrolmentToken) -> str:
    """The token as people copy it."""
    return PREFIX + base64.urlsafe_b64encode(orjson.dumps(asdict(token))).decode().rstrip("=")


def read_token(text: str) -> EnrolmentToken:
    """The token in *text*. Raises BadToken."""
    text = text.strip()
    if not text.startswith(PREFIX) or len(text) > _LONGEST:
        raise BadToken(f"an enrolment token begins with {PREFIX!r}")
    encoded = text.removeprefix(PREFIX)
    try:
        body = orjson.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        token = EnrolmentToken(**body)
    except (binascii.Error, ValueError, TypeError):
        raise BadToken("the enrolment token is damaged: copy it whole") from None
    if not all(isinstance(value, str) and value for value in asdict(token).values()):
        raise BadToken("the enrolment token is damaged: copy it whole")
    return token
