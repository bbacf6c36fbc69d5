"""Programs of the control plane and Prometheus: found on this machine, or built once from pinned Go modules."""

from parkade_hack.tools.catalogue import Tools
from parkade_hack.tools.locate import ToolsError, ensure_tools

__all__ = ["Tools", "ToolsError", "ensure_tools"]
