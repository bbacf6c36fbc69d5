"""Words of those we do not trust, as they can stand in a status or in a log."""


def shown(value: object, most: int) -> str:
    """Text without control characters, at most *most* characters long; what is no text is empty."""
    text = value if isinstance(value, str) else ""
    printable = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text[: most + 1])
    return printable if len(printable) <= most else f"{printable[: most - 1]}…"
