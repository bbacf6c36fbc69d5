"""What can go wrong with a model.

ModelsError
+-- BundleError      a folder is not the bundle that its bundle.json describes, or cannot be loaded
|   +-- DamagedBundleError  a file is missing, or is not the one that bundle.json names
|   +-- ModelRefusedError   the model breaks a rule of `checks`; it was not loaded
|   +-- UnknownTaskError    the task is none of this version
+-- BuildError       a bundle could not be built from its sources
+-- SignatureError   no publisher known here vouches for a bundle
+-- BadRecordError   one record cannot be answered; the others of its shard can
+-- OutOfMemoryError loading or running the model took more memory than the process may have
+-- StoppedError     the session was told to stop while a record ran
"""

from parkade_api.wellknown import RecordError


class ModelsError(Exception):
    """Anything that this package raises on purpose."""


class BundleError(ModelsError):
    """A folder is not the bundle that its bundle.json describes; the sentence names the file."""


class DamagedBundleError(BundleError):
    """A file is missing, or is not the one that bundle.json names: no fault of whoever built the bundle."""


class ModelRefusedError(BundleError):
    """A model breaks a rule that holds for every vehicle; the sentence names node or tensor, and the limit."""


class UnknownTaskError(BundleError):
    """The bundle's task is none of this version; a newer one may have it. The sentence names those that there are."""


class BuildError(ModelsError):
    """A bundle could not be built from its sources."""


class SignatureError(ModelsError):
    """No publisher known here vouches for the bundle; the sentence says why."""


class BadRecordError(ModelsError):
    """One record cannot be answered. The code and the message go to errors.jsonl as they are."""

    def __init__(self, code: RecordError, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class OutOfMemoryError(ModelsError):
    """The model took more memory than the process may have: no fault of a record."""


class StoppedError(ModelsError):
    """The session was told to stop; the record that ran has no result."""
