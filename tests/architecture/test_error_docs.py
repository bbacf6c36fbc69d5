"""docs/errors.md lists exactly the codes and reasons that a user can meet."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from parkade_api import wellknown as wk
from parkade_core.batch import record
from parkade_core.batch.progress import BatchState, Progress
from parkade_core.batch.status import Known, fold
from parkade_core.vehicle.census import PoolCount
from support.objects import BORN, batch


@pytest.fixture(scope="module")
def sections(root: Path) -> dict[str, set[str]]:
    """Heading to the names in the first column of its table."""
    parts = re.split(r"^## ", (root / "docs" / "errors.md").read_text(), flags=re.MULTILINE)
    return {part.partition("\n")[0]: set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) for part in parts}


def reasons() -> Iterable[str]:
    """Every reason that a batch which did not fail can have."""
    running = Progress(BatchState.RUNNING, shards_total=2, slots_running=1)
    states = [None, running, *(Progress(state) for state in BatchState if state is not BatchState.FAILED)]
    troubled = Progress(BatchState.PLANNING, message="no space")
    for progress in (*states, troubled):
        for pools in ([], ["home"]):
            for suspend in (False, True):
                for reachable in (False, True):
                    known = Known(pools, PoolCount(), progress, is_reachable=reachable)
                    yield str(fold(batch(suspend=suspend), known, BORN, None).reason)


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("Codes of records", set(wk.RecordError)),
        ("Reasons of a batch that failed", set(wk.BatchReason)),
        ("Causes of a failed shard", set(wk.ShardFault)),
        ("Reasons of a vehicle that does not work", set(wk.Reason)),
        ("Reasons of a batch that waits or works", {*reasons(), wk.RECORDS_FAILED}),
    ],
)
def test_every_name_has_its_row(sections: dict[str, set[str]], section: str, names: set[str]) -> None:
    """None is missing, and none that does not exist is promised."""
    assert sections[section] == {str(name) for name in names}


def test_the_limits_are_those_of_the_code(root: Path) -> None:
    """A user who reads a limit can rely on it."""
    text = (root / "docs" / "errors.md").read_text()
    assert f"at most {record.MAX_LINE_BYTES} bytes" in text
    assert f"a custom_id at most {record.MAX_CUSTOM_ID} characters" in text
