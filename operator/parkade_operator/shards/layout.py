"""The keys of the platform store: the one place that spells them."""

from typing import Final

BATCHES: Final = "batches"
"""The prefix of all batches, one folder each, whose name is the batch's UID."""


def batch(uid: str) -> str:
    """The prefix of all that the store has of one batch, but for its bundle, which others may share."""
    return f"{BATCHES}/{uid}"


def plan(uid: str) -> str:
    """The plan, created when everything that it speaks of is there."""
    return f"{batch(uid)}/plan"


def shard(uid: str, number: int) -> str:
    """The records of one shard, as a vehicle is shown them."""
    return f"{batch(uid)}/shards/{number:06d}"


def rejects(uid: str) -> str:
    """The error lines of the records that planning refused."""
    return f"{batch(uid)}/rejects"


def log(uid: str) -> str:
    """The prefix of the commit log's segments."""
    return f"{batch(uid)}/log"


def segment(uid: str, seq: int) -> str:
    """One segment of the commit log."""
    return f"{log(uid)}/{seq:010d}"


def piece(uid: str, lease: str, number: int) -> str:
    """Results that a vehicle sent under one lease."""
    return f"{batch(uid)}/results/{lease}/{number}"


def manifest(uid: str) -> str:
    """What became of every shard, created when the user's files are there."""
    return f"{batch(uid)}/manifest"


def signature(uid: str) -> str:
    """The signature that came with the batch's bundle; empty when it is unsigned.

    Bundles are shared by digest, signatures are the batch's own: a tenant who brings somebody's bundle with a bad
    signature spoils nobody else's.
    """
    return f"{batch(uid)}/bundle.sig"


def bundle_file(digest: str, name: str) -> str:
    """A file of the bundle whose digest is `sha256:<hex>`."""
    return f"bundles/{digest.removeprefix('sha256:')}/{name}"
