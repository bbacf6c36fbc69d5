"""How far a batch is: one record of it, from the shards of the gateway to the status that a user reads."""

from dataclasses import dataclass
from enum import StrEnum

from parkade_core.batch.failed import FailedRecord


class BatchState(StrEnum):
    """Where a batch stands, as its leader sees it."""

    PLANNING = "Planning"
    RUNNING = "Running"
    FINALIZING = "Finalizing"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """What the gateway knows of one batch; counts of slots are of its pods on vehicles.

    *reason* is of FAILED; *message* is of FAILED, and elsewhere says which trouble of the platform is waited out.
    *refusal* is what the vehicle said that last refused the bundle.
    """

    state: BatchState
    uid: str = ""
    reason: str = ""
    message: str = ""
    input_digest: str = ""
    records_total: int = 0
    records_succeeded: int = 0
    records_failed: int = 0
    shards_total: int = 0
    shards_committed: int = 0
    shards_leased: int = 0
    records_per_second: float = 0.0
    slots_running: int = 0
    slots_starting: int = 0
    slots_silent: int = 0
    slots_idle: int = 0
    output_uri: str = ""
    error_uri: str = ""
    manifest_digest: str = ""
    first_failed: tuple[FailedRecord, ...] = ()
    refusal: str = ""

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in (BatchState.COMPLETE, BatchState.FAILED)
