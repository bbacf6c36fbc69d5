"""What the vehicle's computer tells of its own link: the kind of the interface that the default route goes through."""

from pathlib import Path
from typing import Final

ROUTES: Final = Path("/proc/net/route")
INTERFACES: Final = Path("/sys/class/net")
_ANYWHERE: Final = "00000000"
_OF_MODEMS: Final = ("wwan", "rmnet", "ppp")


def link_kind(routes: Path = ROUTES, interfaces: Path = INTERFACES) -> str:
    """wifi, cellular or ethernet; empty without a default route (IPv4), or when the kernel does not say."""
    try:
        rows = [line.split() for line in routes.read_text().splitlines()[1:]]
    except OSError:
        return ""
    defaults = [(int(row[6]), row[0]) for row in rows if row[1] == row[7] == _ANYWHERE]
    return _kind(interfaces / min(defaults)[1]) if defaults else ""


def _kind(interface: Path) -> str:
    if (interface / "wireless").exists() or (interface / "phy80211").exists():
        return "wifi"
    try:
        uevent = (interface / "uevent").read_text()
    except OSError:
        uevent = ""
    is_modem = "DEVTYPE=wwan" in uevent or interface.name.startswith(_OF_MODEMS)
    return "cellular" if is_modem else "ethernet"
