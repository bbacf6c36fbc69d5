"""Keeps the vehicle's certificate: asks for the first one, renews it in time, takes a new token at any time."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from typing import Final

import grpc
import structlog

from parkade_agent import metrics
from parkade_agent.backoff import delays
from parkade_agent.door import Door, Keys
from parkade_agent.errors import IdentityDamaged, NoIdentity
from parkade_agent.identity.credentials import Credential, Offer
from parkade_agent.identity.files import IdentityFiles
from parkade_agent.identity.keys import KeyPair, pair_of, request_for
from parkade_agent.settings import Settings
from parkade_api.proto.fleet.v1 import fleet_pb2, fleet_pb2_grpc
from parkade_core.enrolment import renewal_at

LOOK_SECONDS: Final = 2.0
_CALL_SECONDS: Final = 15.0
_JITTER: Final = 0.1
_log = structlog.get_logger()


class IdentityKeeper:
    """Owns the vehicle's key and certificate."""

    def __init__(self, settings: Settings, credential: Credential | None) -> None:
        self._settings = settings
        self._credential = credential
        self._files = IdentityFiles(settings.certificate, settings.key, settings.enrolment_record)
        self._jitter = random.uniform(1 - _JITTER, 1.0)  # noqa: S311 - spreads renewals
        self._waits = delays(0.5, 30.0)
        self._pair: KeyPair | None = None

    async def first(self) -> Keys:
        """The identity to begin with, enrolled for if there is none. Raises NoIdentity, OSError."""
        try:
            self._pair = self._files.load()
        except IdentityDamaged as error:
            _log.warning("the identity is of no use", error=str(error))
        if self._pair is None and self._credential is None:
            raise NoIdentity(
                f"there is no certificate at {self._settings.certificate}: set PARKADE_ENROLMENT_TOKEN_FILE, "
                "a file with a token of `kubectl parkade enroll`"
            )
        while self._pair is None:
            if not await self._enrol_anew():
                await asyncio.sleep(LOOK_SECONDS)
        return self._keys(self._pair)

    async def keep(self, door: Door, changed: Callable[[], None]) -> None:
        """Renews and enrols anew as long as the vehicle lives; *changed* hears that new connections are new ones."""
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self._seconds_left()))
            if await self._enrol_anew() or await self._renew(door):
                self._waits = delays(0.5, 30.0)
                await door.change(self._keys(self._known()))
                changed()

    async def _enrol_anew(self) -> bool:
        """Shows what there is to show; true when it gave a certificate. Waits a while after a refusal."""
        if self._credential is None:
            return False
        needed = self._pair is None or time.time() >= self._pair.not_after
        offer = self._credential.offer(self._files.read_record(), needed=needed)
        if offer is None:
            return False
        _log.info("enrolling", address=offer.address)
        try:
            await self._enrol(offer)
        except (grpc.aio.AioRpcError, ValueError, OSError) as error:
            self._forget_refused(offer, error)
            await self._be_patient("not enrolled", error)
            return False
        _log.info("enrolled")
        return True

    async def _enrol(self, offer: Offer) -> None:
        key = self._files.pending_key()
        request = fleet_pb2.EnrolRequest(csr=request_for(key))
        if offer.token:
            request.token = offer.token
        else:
            request.service_account_token = offer.service_account_token
            request.simulated = offer.simulated
        reply = await _ask(offer.address, offer.ca, request)
        # A certificate is of no use without its door, so the door goes first; until the token is noted as used, the
        # vehicle shows it again.
        place = {"door": offer.door, "ca": offer.ca.decode(), "enrolment": offer.address}
        self._files.write_record({**self._files.read_record(), **place})
        self._take(key, reply)
        self._files.write_record({**place, "token": offer.digest})

    def _forget_refused(self, offer: Offer, error: Exception) -> None:
        """Notes a token that the gateway refuses, when the vehicle can do without it: it may be used up."""
        is_refused = (
            isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.PERMISSION_DENIED
        )
        if is_refused and self._pair is not None and time.time() < self._pair.not_after:
            with contextlib.suppress(OSError):
                self._files.write_record({**self._files.read_record(), "token": offer.digest})

    async def _renew(self, door: Door) -> bool:
        if self._seconds_left() > 0:
            return False
        has_expired = time.time() >= self._known().not_after
        try:
            await (self._return() if has_expired else self._renew_in_time(door))
        except (grpc.aio.AioRpcError, ValueError, OSError) as error:
            words = (
                "the certificate has expired and is not renewed" if has_expired else "certificate not renewed"
            )
            await self._be_patient(words, error)
            return False
        _log.info("certificate renewed", not_after=self._known().not_after, was_expired=has_expired)
        return True

    async def _renew_in_time(self, door: Door) -> None:
        key = self._files.pending_key()
        self._take(key, await door.renew(request_for(key), _CALL_SECONDS))

    async def _return(self) -> None:
        """After a long absence: the expired certificate, and a request that only its key can sign. Raises ValueError.

        The next renewal, in time, is for another key again.
        """
        pair, keys = self._known(), self._keys(self._known())
        address = self._settings.enrolment_address or self._files.read_record().get("enrolment", "")
        if not address:
            raise ValueError(
                "where to renew it is not known: set PARKADE_ENROLMENT_ADDRESS, or give the vehicle a new token"
            )
        request = fleet_pb2.EnrolRequest(csr=request_for(pair.key), expired_certificate=pair.certificate)
        self._take(pair.key, await _ask(address, keys.ca, request))

    def _take(self, key: bytes, reply: fleet_pb2.EnrolReply) -> None:
        pair = pair_of(key, reply.certificate)
        if pair is None:
            raise ValueError("the gateway answered with the certificate of another key")
        self._files.save(pair)
        self._pair = pair

    async def _be_patient(self, words: str, error: Exception) -> None:
        """Says what went wrong and waits, so that the caller may try again."""
        delay = next(self._waits)
        reason = error.details() if isinstance(error, grpc.aio.AioRpcError) else str(error)
        _log.warning(words, error=reason, seconds=delay)
        await asyncio.sleep(delay)

    def _seconds_left(self) -> float:
        """Until the certificate shall be renewed."""
        pair = self._known()
        return max(0.0, renewal_at(pair.not_before, pair.not_after, self._jitter) - time.time())

    def _known(self) -> KeyPair:
        if self._pair is None:
            raise AssertionError("an identity is kept after the first one was found")
        return self._pair

    def _keys(self, pair: KeyPair) -> Keys:
        metrics.CERTIFICATE_EXPIRY.set(pair.not_after)
        record = self._files.read_record()
        address = self._settings.door_address or record.get("door", "")
        ca_file = self._settings.door_ca_file
        ca = ca_file.read_bytes() if ca_file else record.get("ca", "").encode()
        if not address or not ca:
            raise NoIdentity("set PARKADE_DOOR_ADDRESS and PARKADE_DOOR_CA_FILE, or enrol with a token")
        return Keys(address, ca, pair.key, pair.certificate)


async def _ask(address: str, ca: bytes, request: fleet_pb2.EnrolRequest) -> fleet_pb2.EnrolReply:
    """What the enrolment port at *address* answers. Raises grpc.aio.AioRpcError."""
    credentials = grpc.ssl_channel_credentials(root_certificates=ca)
    async with grpc.aio.secure_channel(address, credentials) as channel:
        stub: fleet_pb2_grpc.EnrolmentAsyncStub = fleet_pb2_grpc.EnrolmentStub(channel)
        return await stub.Enrol(request, timeout=_CALL_SECONDS)
