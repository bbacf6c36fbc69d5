"""Whether a graph's tensors are what a manifest says of them."""

from collections.abc import Sequence

from parkade_models.errors import BundleError
from parkade_models.session import TensorSpec


def check_inputs(described: Sequence[TensorSpec], graph: Sequence[TensorSpec]) -> None:
    """Raises BundleError when the graph does not take exactly these inputs; -1 in the graph takes any size."""
    known = {spec.name: spec for spec in graph}
    names = sorted(spec.name for spec in described)
    if names != sorted(known):
        raise BundleError(f"the graph takes {sorted(known)}, the manifest says {names}")
    for spec in described:
        taken = known[spec.name]
        if spec.datatype != taken.datatype or not taken.takes(spec.shape):
            said = f"{spec.datatype} {list(spec.shape)}"
            raise BundleError(
                f"the graph takes {spec.name} as {taken.datatype} {list(taken.shape)}, the manifest says {said}"
            )


def output_of(name: str, graph: Sequence[TensorSpec]) -> TensorSpec:
    """The graph's output of that name. Raises BundleError when it has none."""
    for spec in graph:
        if spec.name == name:
            return spec
    raise BundleError(f"the graph gives {sorted(spec.name for spec in graph)}, the manifest says {name}")


def numbers_of(name: str, graph: Sequence[TensorSpec]) -> TensorSpec:
    """The graph's output of that name. Raises BundleError when it has none, or one of text."""
    spec = output_of(name, graph)
    if spec.datatype == "BYTES":
        raise BundleError(f"the graph gives text as {name}; this task needs numbers")
    return spec
