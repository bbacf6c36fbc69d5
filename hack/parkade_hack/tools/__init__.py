"""The six programs of a local cluster, helm among them: found on this machine, or built once from a Go module."""

from parkade_hack.tools.catalogue import Tools
from parkade_hack.tools.locate import ToolsError, ensure_tools

__all__ = ["Tools", "ToolsError", "ensure_tools"]
