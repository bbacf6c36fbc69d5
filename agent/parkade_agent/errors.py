"""What can go wrong in several parts of the agent; other errors stand beside the code that raises them.

AgentError
 +-- BundleRefused   the bundle's bytes are not what its digest says, or it is no bundle
 |   +-- ModelRefused    no vehicle should run this bundle: its model breaks a rule, or what runs it
 +-- DoorRefused     the gateway answered, and the answer is no; asking again would not help
 +-- NoIdentity      the vehicle has no certificate, and nothing to get one with
 +-- IdentityDamaged the vehicle's key and certificate are no pair
 +-- JournalBroken   the journal cannot be read or written; nothing was written
"""

from parkade_api.wellknown import Reason


class AgentError(Exception):
    """Anything that the agent refuses or cannot do; its text is a sentence for the owner."""


class BundleRefused(AgentError):
    """The vehicle does not run this bundle."""

    reason = Reason.BUNDLE_REFUSED


class ModelRefused(BundleRefused):
    """No vehicle should run this bundle: its model breaks a rule, or whatever loads it."""

    reason = Reason.MODEL_REFUSED


class DoorRefused(AgentError):
    """The gateway refused a call for good; `code` is the gRPC status name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"the gateway refused: {code}: {message}")
        self.code = code


class NoIdentity(AgentError):
    """The vehicle has no certificate, and nothing to get one with."""


class IdentityDamaged(AgentError):
    """The vehicle's key and certificate are no pair."""


class JournalBroken(AgentError):
    """The journal cannot be read or written; nothing was written.

    The message names a path of the vehicle, for its owner and its log; the cluster is told *outward*.
    """

    outward = "the vehicle's journal cannot be written"
