"""What can go wrong with the control-plane programs.

ToolsError: they are neither on this machine nor can they be built here; the sentence says what to do.
"""


class ToolsError(Exception):
    """The control-plane programs cannot be had; the message says why and what to do."""
