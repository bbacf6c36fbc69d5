"""What the vehicle's computer tells of its own link: the kind of the interface that the default route goes through.

Linux shows it in sysfs (Documentation/ABI/testing/sysfs-class-net). A cable is believed only where the port is the
computer's own: a modem may stand behind a cable to a USB device, a tunnel, a bridge, or a virtual machine's port.
"""

from pathlib import Path
from typing import Final

ROUTES: Final = Path("/proc/net/route")
ROUTES_V6: Final = Path("/proc/net/ipv6_route")
INTERFACES: Final = Path("/sys/class/net")
_ANYWHERE: Final = "00000000"
_OF_MODEMS: Final = ("wwan", "rmnet", "ppp")
_ETHERNET: Final = "1"  # ARPHRD_ETHER of linux/if_arp.h
_OWN_BUSES: Final = ("pci", "platform")


def link_kind(routes: Path = ROUTES, interfaces: Path = INTERFACES, routes_v6: Path = ROUTES_V6) -> str:
    """wifi, cellular or ethernet; empty without a default route, and for an interface of which nobody here knows."""
    defaults = _defaults(routes) or _defaults_v6(routes_v6)
    return _kind(interfaces / min(defaults)[1]) if defaults else ""


def _defaults(routes: Path) -> list[tuple[int, str]]:
    """Metric and interface of each default route: columns 6 and 0, destination and mask are 1 and 7."""
    rows = _rows(routes)[1:]
    return [(int(row[6]), row[0]) for row in rows if row[1] == row[7] == _ANYWHERE]


def _defaults_v6(routes: Path) -> list[tuple[int, str]]:
    """The same of IPv6: metric (hexadecimal) and interface are columns 5 and 9, destination and its length 0 and 1."""
    rows = [row for row in _rows(routes) if row[9] != "lo"]  # there the kernel rejects what has no route
    return [(int(row[5], 16), row[9]) for row in rows if row[0] == 4 * _ANYWHERE and row[1] == "00"]


def _rows(routes: Path) -> list[list[str]]:
    try:
        return [line.split() for line in routes.read_text().splitlines()]
    except OSError:
        return []


def _kind(interface: Path) -> str:
    if (interface / "wireless").exists() or (interface / "phy80211").exists():
        return "wifi"
    if "DEVTYPE=wwan" in _text(interface / "uevent") or interface.name.startswith(_OF_MODEMS):
        return "cellular"
    bus = (interface / "device" / "subsystem").resolve().name
    is_wired = _text(interface / "type").strip() == _ETHERNET and bus in _OWN_BUSES
    return "ethernet" if is_wired else ""


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
