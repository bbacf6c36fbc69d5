"""What one sidecar serves."""

from dataclasses import dataclass

from parkade_models.bundle import Bundle
from parkade_models.tasks.task import Task


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded bundle, and what it computes on this vehicle; *reproducibility_class* is empty without vectors."""

    bundle: Bundle
    task: Task
    reproducibility_class: str
