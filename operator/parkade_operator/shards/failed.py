"""The first failed records of one batch: noted as pieces come in, and read back from what is durable."""

from collections.abc import Iterable, Mapping
from typing import Final

from parkade_core.batch.commit import ShardCommit
from parkade_core.batch.failed import FailedRecord, FirstFailed
from parkade_core.batch.plan import Plan
from parkade_operator.shards import layout
from parkade_operator.shards.setting import Setting

HEAD_BYTES: Final = 64 * 1024


class FailedRecords:
    """What the status of one batch shows of its errors."""

    def __init__(self, setting: Setting, uid: str) -> None:
        self._setting = setting
        self._uid = uid
        self._first = FirstFailed()

    @property
    def first(self) -> tuple[FailedRecord, ...]:
        """The failed records of lowest input line that are known."""
        return self._first.records

    def note(self, plan: Plan, winners: Iterable[ShardCommit], piece: bytes) -> None:
        """Look at the error lines of committed shards, which lie in *piece*."""
        for commit in winners:
            if commit.failed and self._first.needs(plan.shards[commit.shard].first_line):
                self._first.note(piece[commit.offset + commit.output_size : commit.offset + commit.size])
                self._setting.on_change()

    async def read(self, plan: Plan, winners: Mapping[int, ShardCommit]) -> None:
        """Find them again from the plan's rejects and the committed shards, in a few reads. Raises StoreError."""
        store, first = self._setting.store, FirstFailed()
        if plan.rejects.count:
            size = min(plan.rejects.size, HEAD_BYTES)
            first.note(await store.get_range(layout.rejects(self._uid), 0, size))
        for shard in sorted(number for number, commit in winners.items() if commit.failed):
            if not first.needs(plan.shards[shard].first_line):
                break
            commit = winners[shard]
            size = min(commit.size - commit.output_size, HEAD_BYTES)
            first.note(await store.get_range(commit.key, commit.offset + commit.output_size, size))
        self._first = first
