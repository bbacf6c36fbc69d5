"""From a bundle to a task that answers. What kills the process meanwhile is told by its last words: *say* hears them.

Everything here happens in a disposable process under limits.
"""

from collections.abc import Callable

from parkade_agent.sidecar.errors import MemoryLentError
from parkade_agent.sidecar.model import Model
from parkade_core.vehicle.death import STANDARD_MEMORY_BYTES
from parkade_models.bundle import Bundle
from parkade_models.checks import CHECK_COPIES, check_model
from parkade_models.checks.sizes import largest_inputs
from parkade_models.errors import BadRecordError, BundleError, ModelRefusedError
from parkade_models.reproducibility import reproducibility_class
from parkade_models.tasks import open_task


def check_bundle(bundle: Bundle, memory_bytes: int, say: Callable[[str], None]) -> None:
    """Refuses a model before anything loads it. Raises ModelRefusedError, or MemoryLentError.

    A model may take more than the standard memory only when its manifest says so.
    """
    name, budget = bundle.variant.file, bundle.manifest.budget
    say(f"while checking {name}")
    asked = budget.memoryBytes if budget is not None else 0
    if asked > memory_bytes:
        raise MemoryLentError(
            f"the bundle asks for {asked} bytes of memory; this vehicle lends {memory_bytes}"
        )
    most = max(STANDARD_MEMORY_BYTES, asked)
    needed = CHECK_COPIES * bundle.manifest.file(name).size
    if needed > most:
        raise ModelRefusedError(f"to check {name} takes {needed} bytes; at most {most} are taken")
    if needed > memory_bytes:
        raise MemoryLentError(f"to check {name} takes {needed} bytes; this vehicle lends {memory_bytes}")
    taken = check_model(bundle.path(name).read_bytes(), largest_inputs(bundle.manifest), most)
    if taken > memory_bytes:
        raise MemoryLentError(f"{name} takes {taken} bytes by its shapes; this vehicle lends {memory_bytes}")


def open_bundle(bundle: Bundle, say: Callable[[str], None]) -> Model:
    """Loads the model, runs it once, then its vectors. Raises BundleError or OutOfMemoryError."""
    name = bundle.variant.file
    say(f"while loading {name}")
    try:
        task = open_task(bundle)
        say(f"while running {name} for the first time")
        task.warm_up()
        say(f"while running the vectors of {name}")
        return Model(bundle, task, reproducibility_class(bundle, task))
    except BadRecordError as error:
        raise BundleError(f"{name} cannot be run: {error.__cause__ or error}") from error
