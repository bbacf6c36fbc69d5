"""`python -m parkade_hack.tools [controlplane] [prometheus]`: makes programs ready and prints their folders.

bubblewrap, which every vehicle needs, is always among them.
"""

import sys

from parkade_hack.tools import ToolsError, ensure_tools
from parkade_hack.tools.bubblewrap import ensure_bubblewrap
from parkade_hack.tools.catalogue import CONTROL_PLANE, MODULES


def main() -> int:
    """Builds what is missing, by default of the control plane; progress goes to stderr, folders to stdout."""
    try:
        print(ensure_bubblewrap().parent)
        for name in sys.argv[1:] or [CONTROL_PLANE.name]:
            tools = ensure_tools(MODULES[name])
            print(*sorted({path.parent for path in tools.paths.values()}), sep="\n")
    except ToolsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
