"""Which walls of the sandbox stand around a local cluster's vehicles: tried once, in a process like their agents'."""

import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from parkade_agent.runtime.cgroups import slot_cgroup
from parkade_agent.runtime.sandbox.layers import CURES, Layer
from parkade_agent.runtime.sandbox.walls import find_sandbox
from parkade_hack.processes import python_module
from parkade_hack.tools.bubblewrap import ensure_bubblewrap
from parkade_hack.tools.errors import ToolsError
from parkade_hack.tools.output import output_of

_MODULE: Final = "parkade_hack.local.walls"
_MEMORY_BYTES: Final = 1 << 30


@cache
def layers_to_lack() -> frozenset[Layer]:
    """The walls that vehicles on this machine must be allowed to lack. Raises ToolsError when one is no vehicle's."""
    try:
        tried = output_of(*python_module(_MODULE, str(ensure_bubblewrap())))
    except ToolsError as error:
        raise ToolsError(f"the sandbox cannot be tried: {error}") from None
    missing = json.loads(tried.splitlines()[-1])
    return lacking({Layer(name): why for name, why in missing.items()})


def lacking(missing: Mapping[Layer, str]) -> frozenset[Layer]:
    """*missing*, if it is at most the control group, which few machines let one make. Raises ToolsError with cures."""
    faults = [
        f"the wall {layer} does not stand ({why}): {CURES[layer]}"
        for layer, why in missing.items()
        if layer is not Layer.CGROUP_MEMORY
    ]
    if faults:
        raise ToolsError("; ".join(faults))
    return frozenset(missing)


def main() -> None:
    """Prints, as JSON, why each wall that does not stand does not; its argument is the program bwrap."""
    with slot_cgroup(_MEMORY_BYTES) as cgroup:
        missing = find_sandbox(Path(sys.argv[1]), cgroup).missing
    # The last line: the log is printed, too.
    print(json.dumps(dict(missing)))


if __name__ == "__main__":
    main()
