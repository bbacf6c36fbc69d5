"""What makes an assignment the vehicle's own, new, and still meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_operator.door.orders import LIFETIME_SECONDS, Orders, problem_of_hello

NONCE = bytes(range(16))


@given(
    counter=st.integers(0, 2**62),
    vehicle_at=st.floats(0, 1e9),
    gateway_at=st.floats(0, 1e9),
    pauses=st.lists(st.floats(0, 1e4), max_size=8),
)
def test_orders_count_on_and_end_on_the_vehicles_clock(
    counter: int, vehicle_at: float, gateway_at: float, pauses: list[float]
) -> None:
    """Each has the session's nonce, the next number, and an end that long from now, whatever the two clocks say."""
    now = gateway_at
    hello = pb.Hello(nonce=NONCE, last_counter=counter, clock_milliseconds=int(vehicle_at * 1000))
    orders = Orders.begun(hello, lambda: now)
    for number, pause in enumerate(pauses, counter + 1):
        now += pause
        assignment = pb.Assignment(pod_uid="p")
        orders.stamp(assignment)
        elapsed = now - gateway_at
        ends_after = assignment.not_after_milliseconds / 1000 - vehicle_at - elapsed
        assert (assignment.nonce, assignment.counter) == (NONCE, number)
        assert ends_after == pytest.approx(LIFETIME_SECONDS, abs=0.01)


@pytest.mark.parametrize(
    ("hello", "words"),
    [
        (pb.Hello(nonce=NONCE), None),
        (pb.Hello(nonce=bytes(64), last_counter=2**63 - 1, clock_milliseconds=2**63 - 1), None),
        (pb.Hello(), "has 0 bytes; 16 to 64 are needed: an agent without one is of an older release"),
        (pb.Hello(nonce=bytes(15)), "has 15 bytes"),
        (pb.Hello(nonce=bytes(65)), "has 65 bytes"),
        (pb.Hello(nonce=NONCE, last_counter=2**63), "beyond 2^63"),
        (pb.Hello(nonce=NONCE, clock_milliseconds=2**64 - 1), "beyond 2^63"),
    ],
)
def test_who_can_be_given_no_orders_is_told_why(hello: pb.Hello, words: str | None) -> None:
    """An older agent, and numbers from which nobody can count on, are refused in words that help."""
    problem = problem_of_hello(hello)
    assert problem is None if words is None else words in (problem or "")
