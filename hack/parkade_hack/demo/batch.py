"""Scenes: the batch is applied and starts; at the end it is complete."""

import shutil

from parkade_hack.demo.play import BATCH, NAMESPACE, Play, batch_row, shards_done, working
from parkade_hack.paths import EXAMPLES

AT_WORK = 4
START_SECONDS = 90.0
FINISH_SECONDS = 240.0


def apply_batch(play: Play) -> None:
    """Lays bundle and input into the file root and applies examples/inferencebatch.yaml with the digest."""
    play.stage.title("kubectl apply: an INT8 batch over the documents")
    folder = play.release.namespace_folder(NAMESPACE)
    shutil.copytree(play.material.bundle, folder / "models" / "minilm")
    shutil.copyfile(play.material.batch_input, folder / "docs.jsonl")
    template = (EXAMPLES / "inferencebatch.yaml").read_text()
    manifest = play.stage.folder / "inferencebatch.yaml"
    manifest.write_text(template.replace("${BUNDLE_DIGEST}", play.material.digest))
    play.stage.say(play.kubectl("apply", "-f", str(manifest)).strip())
    play.until(
        lambda seen: len(working(seen)) >= AT_WORK and shards_done(seen) > 0,
        START_SECONDS,
        f"{AT_WORK} vehicles work and shards are committed",
    )


def await_completion(play: Play) -> None:
    """Waits until the result files are there."""
    play.stage.title("The rest of the batch")
    play.until(
        lambda seen: (row := batch_row(seen)) is not None and row.phase == "Completed",
        FINISH_SECONDS,
        "Completed",
    )
    message = play.kubectl.read("inferencebatch", BATCH, "--namespace", NAMESPACE)["status"].get(
        "message", ""
    )
    play.stage.say(message)
