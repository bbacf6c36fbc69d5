"""Why the sidecar cannot run a shard or answer a request.

    SidecarError
    +-- FileRefusedError    the file that the request names is missing, or is not a plain file of the slot's folder
    +-- ResultRefusedError  the result cannot be written under the name that the request gives it
    +-- NoSpaceError        the vehicle's disk takes no more
    +-- WrongDigestError    the shard's bytes are not the ones that were promised
    +-- MemoryLentError     the bundle needs more memory than the vehicle lends; this one ends the sidecar
    +-- TooManyCallsError   as many plain calls wait for a lane as may
    +-- BadTensorError      a tensor of an Open Inference request does not fit the model

`inference.py` and `shards.py` give those that a caller sees their gRPC status.
"""


class SidecarError(Exception):
    """Anything that the sidecar refuses with a sentence for the caller."""


class FileRefusedError(SidecarError):
    """The named file is missing, or is not a plain file of the slot's folder."""


class ResultRefusedError(SidecarError):
    """The result cannot be written under the name that the request gives it."""


class NoSpaceError(SidecarError):
    """The vehicle's disk is full, read-only or broken: whatever is written, and wherever to."""


class WrongDigestError(SidecarError):
    """The shard's bytes are not the ones that were promised."""


class MemoryLentError(SidecarError):
    """The bundle needs more memory than this vehicle lends."""


class BadTensorError(SidecarError):
    """A tensor of an Open Inference request does not fit the model."""


class TooManyCallsError(SidecarError):
    """As many plain calls wait for a lane as may."""
