"""The tasks that a bundle can name: each is one module of this folder."""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

from parkade_models.bundle import Bundle
from parkade_models.errors import UnknownTaskError
from parkade_models.tasks.task import Task


def open_task(bundle: Bundle) -> Task:
    """Loads the bundle's model into the task that it names.

    Raises BundleError when it cannot be loaded, of which UnknownTaskError is a kind.
    """
    name = bundle.manifest.task
    # Only the module that is needed is imported: a sidecar is ready sooner.
    maker: Callable[[Bundle], Task] | None = None
    if name in _modules():
        maker = getattr(import_module(f"{__name__}.{name}"), "TASK", None)
    if maker is None:
        known = ", ".join(known_tasks())
        raise UnknownTaskError(f"task {name!r} is not known here; this version knows {known}")
    return maker(bundle)


def known_tasks() -> list[str]:
    """Names that `bundle.json` may state, in order."""
    return [name for name in _modules() if hasattr(import_module(f"{__name__}.{name}"), "TASK")]


def _modules() -> list[str]:
    return sorted(module.name for module in iter_modules(__path__))
