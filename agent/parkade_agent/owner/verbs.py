"""What the verbs of the owner's command line do, except looking."""

import argparse
import contextlib
import os
import time
from pathlib import Path
from typing import Final

import orjson

from parkade_agent import durable
from parkade_agent.errors import AgentError, JournalBroken
from parkade_agent.owner import consenting
from parkade_agent.owner.consenting import Document, Wishes
from parkade_agent.owner.desk import Desk
from parkade_agent.owner.explaining import open_question
from parkade_agent.owner.keys import fingerprint, new_owner_key, public_half
from parkade_agent.owner.presence import AlreadyRunning, claimed, is_running
from parkade_agent.owner.receipts import BadReceipt, Receipt, Receipts, receipts_in, verified
from parkade_agent.owner.view import is_old, read_view
from parkade_agent.owner.wiping import wipe
from parkade_core.vehicle.consent import FIELDS

_AGENT_SECONDS: Final = 30.0  # the agent's own part is done in one; its slot may take a while to end
_GLANCE_SECONDS: Final = 0.5  # far longer than anybody looks who only asks whether an agent runs
_PAUSE_SECONDS: Final = 5.0  # the guard acts within a tenth of one, and its keeper shows it a fifth later
_LOOK_SECONDS: Final = 0.05
_SHOWN: Final = (*FIELDS[1:], "because")
_MEANT: Final = {
    "energySharePercent": " % of the pool's cap of the day; a pool without one is limited by maxEnergyWhPerDay alone",
}
"""What is said behind a field whose number alone may mislead."""


class NotDone(AgentError):
    """What the owner asked for was not done; the message says what can be."""


def init(desk: Desk, asked: argparse.Namespace) -> str:
    """Makes a key pair: the private half goes where the owner says, the public half into the owner's folder."""
    if desk.places.owner_dir is not None:
        _check_there(desk)
    _check_known(desk)
    if desk.folder.key.exists():
        known = fingerprint(desk.folder.key.read_bytes())
        raise NotDone(f"{desk.folder.key} is there already ({known}): a vehicle has one owner")
    key = new_owner_key()
    _write_new(asked.key, key)
    public = public_half(key)
    durable.write(desk.folder.key, public)
    return (
        f"The owner's key is {fingerprint(public)}. {asked.key} signs what you agree to: keep it safe and out of the "
        "vehicle. Without it nothing can be agreed to, and `parkade-agent pause` still stops everything."
    )


def pause(desk: Desk, asked: argparse.Namespace) -> str:
    """Stops all work until resumed.

    Raises NotDone where no agent would look, where the pause may be lost, or when the agent does not say so.
    """
    _check_there(desk)
    try:
        desk.folder.pause.touch()  # a name alone fits on a full disk
        durable.sync_folder(desk.folder.root)
    except OSError as error:
        cure = "end the agent, and its programs end with it"
        raise NotDone(f"{desk.folder.pause} cannot be written: {error.strerror}: {cure}") from None
    with contextlib.suppress(OSError):
        durable.write(desk.folder.pause, " ".join(asked.why).encode())
    if gone := desk.files.gone():
        again = "until then nothing runs, but then this pause may be gone: pause again"
        raise NotDone(f"the pause is in {desk.folder.pause}, but {gone}; {again}")
    if not is_running(desk.places.state_dir):
        return "Paused: no agent runs, and none starts work until `parkade-agent resume`."
    _wait_until_paused(desk)
    return "Paused: the agent has stopped all work until `parkade-agent resume`."


def _check_there(desk: Desk) -> None:
    if not desk.folder.root.is_dir():
        words = "say the owner's folder by --owner-dir or PARKADE_OWNER_DIR"
        raise NotDone(f"{desk.folder.root} is not there: {words}")


def _check_known(desk: Desk) -> None:
    """Raises NotDone where the word would lie in the mount point of a disk that is not mounted."""
    if gone := desk.files.gone():
        raise NotDone(gone)


def _wait_until_paused(desk: Desk) -> None:
    """Returns when the running agent shows that its guard has acted on the pause. Raises NotDone."""
    until = time.monotonic() + _PAUSE_SECONDS
    while not _is_paused(desk):
        if time.monotonic() >= until:
            raise NotDone(
                f"the pause is in {desk.folder.pause}, but the agent has not said for {_PAUSE_SECONDS:.0f} s that it "
                "stopped: work may still run; end the agent, and its programs end with it"
            )
        time.sleep(_LOOK_SECONDS)


def _is_paused(desk: Desk) -> bool:
    """Whether the agent shows this very pause: what it said of an earlier one tells nothing."""
    view, stamp = read_view(desk.places.guard_view), desk.folder.pause_stamp
    return view is not None and view.pause == stamp != 0 and not is_old(view, time.time())


def resume(desk: Desk, asked: argparse.Namespace) -> str:  # noqa: ARG001 - every verb is called alike
    """Ends the pause. Raises NotDone where no agent would look, or where it is not the folder of the pause."""
    _check_there(desk)
    _check_known(desk)
    durable.remove(desk.folder.pause)
    return "Resumed."


def show(desk: Desk, asked: argparse.Namespace) -> str:
    """What the owner agreed to, and what the pool asks."""
    question, word = open_question(desk), desk.files.read()
    if word.consent is None or word.consent.revoked:
        document: Document = {"revoked": word.is_revoked, "because": word.no_consent_because}
    else:
        document = consenting.standing(desk.files)
    if asked.output == "json":
        return orjson.dumps({"consent": document, "question": question}, option=orjson.OPT_INDENT_2).decode()
    shown = {
        **{name: document[name] for name in _SHOWN if name in document},
        "open question": question or "none",
    }
    return "\n".join(
        f"{name:19} {_listed(value)}{_MEANT.get(name, '')}" for name, value in shown.items() if value != ""
    )


def grant(desk: Desk, asked: argparse.Namespace) -> str:
    """Agrees to a pool's terms."""
    return _put(desk, consenting.granted(desk.files, _wishes(asked), time.time()), asked.key)


def renew(desk: Desk, asked: argparse.Namespace) -> str:
    """Agrees to the same once more."""
    return _put(desk, consenting.renewed(desk.files, Wishes(lifetime=asked.lifetime), time.time()), asked.key)


def narrow(desk: Desk, asked: argparse.Namespace) -> str:
    """Agrees to less."""
    return _put(desk, consenting.narrowed(desk.files, _wishes(asked), time.time()), asked.key)


def revoke(desk: Desk, asked: argparse.Namespace) -> str:
    """Takes everything back: the running agent stops and wipes, or this process wipes itself."""
    consent = consenting.put(desk.folder, consenting.revoked(desk.files, time.time()), asked.key)
    desk.files.read()  # notes the number in the journal
    revoked = f"Revoked (number {consent.number})."
    try:
        with claimed(desk.places.state_dir, _GLANCE_SECONDS):
            wiped = wipe(desk.places.of_others)
            _forget_attempts(desk)
            if not desk.places.certificate.exists():
                return f"{revoked} The vehicle was never enrolled: nothing has run, and it has no key for a receipt."
            receipt = desk.receipts.leave(consent.number, wiped, time.time())
    except AlreadyRunning:
        receipt = _agents_receipt(desk.receipts, consent.number)
    return (
        f"{revoked} {receipt.wiped.files} files with {receipt.wiped.size} bytes were removed; the receipt, signed by "
        f"vehicle {receipt.vehicle}, is {desk.receipts.of(consent.number)}."
    )


def _forget_attempts(desk: Desk) -> None:
    """Nothing that was not sent is sent any more; a broken journal keeps no file that could be."""
    with contextlib.suppress(JournalBroken):
        desk.journal.attempts.forget_open()


def _agents_receipt(receipts: Receipts, number: int) -> Receipt:
    """What the running agent leaves when it has stopped and wiped."""
    until = time.monotonic() + _AGENT_SECONDS
    while (receipt := receipts.left(number)) is None:
        if time.monotonic() >= until:
            raise NotDone(
                f"revoked, but the agent has left no receipt for {_AGENT_SECONDS:.0f} s: end it, and wipe "
                "by starting it again"
            )
        time.sleep(_LOOK_SECONDS)
    return receipt


def receipts(desk: Desk, asked: argparse.Namespace) -> str:  # noqa: ARG001 - every verb is called alike
    """What the vehicle signed when it wiped, each verified by the certificate in it."""
    return "\n".join(map(_told, receipts_in(desk.folder))) or "No consent was revoked here."


def _told(path: Path) -> str:
    try:
        receipt = verified(path.read_bytes())
    except BadReceipt as error:
        return f"{path.name}: {error}"
    wiped = receipt.wiped
    return f"{path.name}: vehicle {receipt.vehicle} removed {wiped.files} files, {wiped.size} bytes, at {receipt.at}"


def _put(desk: Desk, document: Document, key: Path) -> str:
    consent = consenting.put(desk.folder, document, key)
    word = desk.files.read()
    if word.consent is None:
        raise NotDone(word.no_consent_because)
    scopes = ", ".join(sorted(consent.scopes))
    return (
        f"Consent {consent.number}: terms {consent.terms_version}, {scopes}, until {document['expiresAt']}. "
        "To take it back: parkade-agent consent revoke"
    )


def _wishes(asked: argparse.Namespace) -> Wishes:
    return Wishes(
        terms=getattr(asked, "terms", None),
        scopes=asked.scope,
        hours=asked.hours,
        places=asked.place,
        energy_share_percent=asked.energy_share,
        lifetime=getattr(asked, "lifetime", consenting.LIFETIME),
    )


def _listed(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "any"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _write_new(path: Path, data: bytes) -> None:
    """Writes a file that must not be there yet, for its owner alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
