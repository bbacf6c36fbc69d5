"""`python -m parkade_hack.tools`: makes the control-plane programs ready and prints their folder."""

import sys

from parkade_hack.tools import ToolsError, ensure_tools


def main() -> int:
    """Builds what is missing; progress goes to stderr, the folder to stdout."""
    try:
        tools = ensure_tools()
    except ToolsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(tools.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
