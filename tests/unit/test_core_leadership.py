"""Who leads: what a Lease means to a candidate, and that two never lead at once."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parkade_core import leadership as core
from parkade_core.leadership import LeaseView, Sighting, Standing

ME, OTHER = "gateway-a", "gateway-b"


def lease(holder: str = OTHER, version: str = "7", transitions: int = 3, duration: float = 15) -> LeaseView:
    """A Lease as the API server has it."""
    return LeaseView(version, holder, transitions, duration)


@pytest.mark.parametrize(
    ("seen", "unchanged", "how"),
    [
        (None, 0.0, Standing.MISSING),
        (None, 99.0, Standing.MISSING),
        (lease(holder=""), 0.0, Standing.FREE),
        (lease(holder=ME), 0.0, Standing.OURS),
        (lease(), 0.0, Standing.HELD),
        (lease(), 14.9, Standing.HELD),
        (lease(), 15.0, Standing.EXPIRED),
        (lease(duration=40), 39.9, Standing.HELD),
        (lease(duration=40), 40.0, Standing.EXPIRED),
    ],
)
def test_how_a_lease_stands_to_a_candidate(seen: LeaseView | None, unchanged: float, how: Standing) -> None:
    """Free and its own are taken at once; another's after the candidate itself saw it still for its duration."""
    assert core.standing(Sighting(seen, 100.0), ME, 100.0 + unchanged) is how
    assert core.may_take(how) is (how not in (Standing.HELD, Standing.MISSING))


def test_only_a_change_starts_the_wait_anew() -> None:
    """A look that finds the same Lease keeps the moment it was first seen so; any write, or its loss, does not."""
    first = core.sight(None, lease(), 1.0)
    assert core.sight(first, lease(), 9.0) == first
    assert core.sight(first, lease(version="8"), 9.0) == Sighting(lease(version="8"), 9.0)
    assert core.sight(first, None, 9.0) == Sighting(None, 9.0)
    assert core.sight(Sighting(None, 2.0), None, 9.0).since == 2.0


@pytest.mark.parametrize(
    ("item", "view"),
    [
        ({"metadata": {"resourceVersion": "1"}}, LeaseView("1")),
        ({"metadata": {"resourceVersion": "1"}, "spec": None}, LeaseView("1")),
        (
            {
                "metadata": {"resourceVersion": "2"},
                "spec": {"holderIdentity": ME, "leaseTransitions": 4, "leaseDurationSeconds": 20},
            },
            LeaseView("2", ME, 4, 20),
        ),
        ({"metadata": {"resourceVersion": "3"}, "spec": {"holderIdentity": ""}}, LeaseView("3")),
    ],
)
def test_a_lease_is_read_as_it_is(item: dict[str, object], view: LeaseView) -> None:
    """One that the chart made has no spec: it is free, and nobody has led yet."""
    assert core.lease_view(item) == view


def test_what_is_written() -> None:
    """Every write names the version that was judged; an acquisition raises the count of leaders."""
    taken = core.acquisition(lease(), ME, "now")
    assert taken["metadata"] == {"resourceVersion": "7"}
    assert (taken["spec"]["holderIdentity"], taken["spec"]["leaseTransitions"]) == (ME, 4)
    assert core.renewal(lease(), "now") == {
        "metadata": {"resourceVersion": "7"},
        "spec": {"renewTime": "now"},
    }
    assert core.release(lease(), "now")["spec"]["holderIdentity"] == ""


def test_a_namesake_is_somebody_else() -> None:
    """A lost answer of our own is told from a process of our name that was started anew."""
    held = lease(holder=ME, transitions=4)
    assert core.is_still_ours(held, lease(holder=ME, version="9", transitions=4))
    assert not core.is_still_ours(held, lease(holder=ME, version="9", transitions=5))
    assert not core.is_still_ours(held, lease(holder=OTHER, transitions=4))


def pod(name: str, leader: str | None = None) -> dict[str, object]:
    """A pod, with the leader's label or without."""
    return {"metadata": {"name": name, "labels": {"parkade.dev/leader": leader} if leader else {}}}


def test_the_label_moves_to_the_leader_and_leaves_the_others_first() -> None:
    """The Service never reaches two pods because of our order of writes, and what is right is not written."""
    off, on = ({"metadata": {"labels": {"parkade.dev/leader": value}}} for value in (None, "true"))
    pods = [pod("a"), pod("b", "true"), pod("c", "false"), pod("d")]
    assert list(core.leader_labels(pods, "a").items()) == [("b", off), ("c", off), ("a", on)]
    assert core.leader_labels([pod("a", "true"), {"metadata": {"name": "b"}}], "a") == {}


@dataclass
class Candidate:
    """One process of the model: what it has seen, what it believes, and what is on its way to the server."""

    name: str
    sighting: Sighting | None = None
    held: LeaseView | None = None
    ends_at: float = 0.0
    sent: tuple[LeaseView, float] | None = None

    def leads(self, now: float) -> bool:
        """Whether it may write now: its watchman ends it when the deadline has come."""
        return self.held is not None and now < self.ends_at


class World:
    """Two candidates, one Lease, writes that arrive late, answers that are lost, and processes that are restarted.

    The one assumption is that their clocks run equally fast; they share one here, though they never compare it.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.version = 1
        self.stored = LeaseView("1")
        self.both = [Candidate(ME), Candidate(OTHER)]

    def step(self, which: int, seconds: float, how: str) -> None:
        """Time passes, also for a process that stands still; then one candidate does something."""
        self.now += seconds
        one = self.both[which]
        match how:
            case "restart":
                self.both[which] = Candidate(one.name)
            case "stop":
                self._step_down(one)
            case _:
                self._send(one)
                if how != "later":
                    self._arrive(one, answered=how == "now")

    def _send(self, one: Candidate) -> None:
        """A leader renews, another looks and bids if it may; what was sent before is still on its way."""
        if one.sent is None and one.held is not None and one.leads(self.now):
            one.sent = (one.held, self.now)
        elif one.sent is None and one.held is None:
            one.sighting = core.sight(one.sighting, self.stored, self.now)
            if core.may_take(core.standing(one.sighting, one.name, self.now)):
                one.sent = (self.stored, self.now)

    def _arrive(self, one: Candidate, *, answered: bool) -> None:
        if one.sent is None:
            return
        (judged, sent_at), one.sent = one.sent, None
        if judged != self.stored:
            return
        body = core.renewal(judged, "") if one.held else core.acquisition(judged, one.name, "")
        self._write(body["spec"])
        if answered and self.now - sent_at < core.DEADLINE_SECONDS:
            one.held, one.ends_at = self.stored, sent_at + core.DEADLINE_SECONDS

    def _step_down(self, one: Candidate) -> None:
        if one.leads(self.now) and one.held is not None and one.held == self.stored:
            self._write(core.release(one.held, "")["spec"])
        self.both[self.both.index(one)] = Candidate(one.name)

    def _write(self, spec: dict[str, object]) -> None:
        self.version += 1
        known = {
            "holderIdentity": self.stored.holder,
            "leaseTransitions": self.stored.transitions,
            "leaseDurationSeconds": self.stored.duration,
        }
        meta = {"resourceVersion": str(self.version)}
        self.stored = core.lease_view({"metadata": meta, "spec": known | spec})


STEP = st.tuples(
    st.integers(0, 1),
    st.sampled_from([0.0, 0.5, 5.0, 9.0, 15.0]),
    st.sampled_from(["now", "now", "now", "later", "lost", "stop", "restart"]),
)


@settings(max_examples=400)
@given(st.lists(STEP, min_size=10, max_size=40))
def test_two_never_lead(steps: list[tuple[int, float, str]]) -> None:
    """Whatever happens to processes, writes and answers; a longer deadline or less patience breaks it at once."""
    world = World()
    for step in steps:
        world.step(*step)
        assert sum(one.leads(world.now) for one in world.both) <= 1, step


@given(
    last_renewal=st.floats(0.0, 4.9),
    first_look=st.floats(0.0, 1.0),
    answer=st.floats(0.0, 0.5),
)
def test_a_dead_leader_is_followed_within_20_seconds(
    last_renewal: float, first_look: float, answer: float
) -> None:
    """Whenever it dies and whenever the other looks, with answers within half a second."""
    now, sighting = last_renewal + first_look, None
    dead_since = last_renewal
    while not core.may_take(core.standing(sighting or Sighting(lease(), now), ME, now)):
        sighting = core.sight(sighting, lease(), now)
        now += core.LOOK_SECONDS + answer
    assert now + answer - dead_since <= 20.0
