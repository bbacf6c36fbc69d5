"""What is asked: real records in the sidecar's own shard format, the same bytes for every contender."""

import hashlib
import random
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parkade_core.batch.lines import shard_line
from parkade_models.docstrings import find_documents, sample

_SEED: Final = 20261122


@dataclass(frozen=True, slots=True)
class Workload:
    """A bundle and a shard of records for it."""

    title: str
    model: str
    bundle: Path
    shard: Path
    raw_rows: tuple[int, ...]
    """Items a run that raw onnxruntime tries; texts go one by one, because of their padding."""

    def request(self, slot: Path) -> dict[str, str]:
        """Lays the shard in the slot's folder; the fields of the request that runs it."""
        content = self.shard.read_bytes()
        (slot / "shard").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        names = {"input_name": "shard", "result_name": "shard.result"}
        return names | {"input_sha256": digest, "input_digest": f"sha256:{digest}"}


def write_texts(path: Path, count: int) -> None:
    """A shard of *count* standard-library texts, first lines and bodies mixed, in an order that stays the same."""
    documents = sample(list(find_documents(Path(sysconfig.get_path("stdlib")))), count // 2)
    texts = [text for document in documents for text in (document.query, document.body)]
    random.Random(_SEED).shuffle(texts)  # noqa: S311 - an order, no secret
    write_shard(path, [{"input": text} for text in texts])


def write_shard(path: Path, bodies: list[dict[str, str]]) -> None:
    """A shard of records with these bodies."""
    path.write_bytes(b"".join(shard_line(line, f"r{line}", body) for line, body in enumerate(bodies, 1)))
