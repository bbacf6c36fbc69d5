"""What can go wrong with the programs.

ToolsError: they are neither on this machine nor can they be built here; the sentence says what to do.
"""


class ToolsError(Exception):
    """The programs cannot be had; the message says why and what to do."""
