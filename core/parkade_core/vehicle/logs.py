"""What a reader of a slot's log is told when the vehicle cannot be asked."""

from parkade_core.kubelet.pod import ContainerView, PodView


def offline(vehicle: str, heard_at: str, view: PodView) -> str:
    """The vehicle has no session; *heard_at* is the time of its last word, or empty."""
    since = f"since {heard_at}" if heard_at else "and has not spoken to this gateway yet"
    return f"vehicle {vehicle} is offline {since}; {_last_status(view)}"


def unanswered(vehicle: str, seconds: float, view: PodView) -> str:
    """The vehicle has a session and did not begin to answer within *seconds*."""
    return f"vehicle {vehicle} did not answer within {seconds:g} seconds; {_last_status(view)}"


def cut(vehicle: str) -> str:
    """The vehicle's answer broke off."""
    return f"the log ends here: the connection to vehicle {vehicle} was cut"


def _last_status(view: PodView) -> str:
    if not view.containers:
        return "it has said nothing of this slot"
    said = ", ".join(f"{name} {_words(container)}" for name, container in sorted(view.containers.items()))
    return f"its last slot status was: {said}"


def _words(container: ContainerView) -> str:
    why = f" ({container.reason})" if container.reason else ""
    return f"{container.phase}{why}"
