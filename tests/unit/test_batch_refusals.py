"""When refusals of its model end a batch."""

import pytest

from parkade_core.batch.refusals import MOST_REFUSALS, RefusalCount


@pytest.mark.parametrize(
    ("vehicles", "sentence"),
    [
        (["v1"], None),
        (["v1", "v2"], None),
        (["v1", "v2", "v3"], "the model was refused by 3 vehicles, last with no."),
        (["v1", "v2", "v1", "v2"], None),
        (["v1", "v2", "v1", "v2", "v1"], "the model was refused by 2 vehicles, last with no."),
        (["v1"] * (MOST_REFUSALS - 1), None),
        (["v1"] * MOST_REFUSALS, "the model was refused by one vehicle 5 times, last with no."),
    ],
)
def test_several_vehicles_or_many_refusals_end_a_batch(vehicles: list[str], sentence: str | None) -> None:
    """Three vehicles are enough; where there are fewer, five refusals."""
    count = RefusalCount()
    told = [count.note(vehicle, f"slot-{number}", "no.") for number, vehicle in enumerate(vehicles)]
    assert told[:-1] == [None] * (len(vehicles) - 1)
    assert told[-1] == sentence


def test_a_slot_that_is_told_of_again_counts_once() -> None:
    """A vehicle repeats its last words in every Hello."""
    count = RefusalCount()
    assert [count.note("v1", "slot-1", "no.") for _ in range(MOST_REFUSALS)] == [None] * MOST_REFUSALS


@pytest.mark.parametrize(("asked", "endings"), [([], 1), (["v1"], 1), (["v1", "v2"], 0)])
def test_one_vehicle_alone_ends_no_batch_that_others_work_on(asked: list[str], endings: int) -> None:
    """Many refusals of a few vehicles count where no other vehicle asked for shards; its own asking is none."""
    count = RefusalCount()
    for vehicle in asked:
        count.asked(vehicle)
    told = [count.note("v1", f"slot-{number}", "no.") for number in range(MOST_REFUSALS)]
    assert len([sentence for sentence in told if sentence]) == endings
