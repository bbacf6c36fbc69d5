"""What a process takes of the disk, as the agent sees it from outside: this test's own process, for once."""

import gc
import math
import mmap
import os
import socket
from pathlib import Path

from parkade_agent.runtime import disk
from parkade_agent.runtime.disk import taken_bytes

MIB = 1 << 20


def taken(folder: Path) -> float:
    """By this process, which may write *folder*."""
    return taken_bytes(os.getpid(), [folder])


def test_a_file_counts_while_it_has_a_name_or_is_open(tmp_path: Path) -> None:
    """Each by its blocks, once, however often it is open."""
    gc.collect()  # a file that another test forgot counts too, until it goes
    before, path = taken(tmp_path), tmp_path / "file"
    with path.open("wb") as file, path.open("rb"):
        file.write(bytes(MIB))
        file.flush()
        assert taken(tmp_path) == before + MIB
        path.unlink()
        assert taken(tmp_path) == before + MIB
    assert taken(tmp_path) == before


def test_a_mapped_file_is_of_no_size_once_it_is_removed(tmp_path: Path) -> None:
    """It keeps all its blocks, whatever part is mapped; one that still has its name is counted as any other."""
    path = tmp_path / "file"
    path.write_bytes(b"x")
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 1):
        assert math.isfinite(taken(tmp_path))
        (tmp_path / "new").touch()
        (tmp_path / "new").replace(path)
        assert taken(tmp_path) == math.inf
        assert math.isfinite(taken(tmp_path / "elsewhere"))
    assert math.isfinite(taken(tmp_path))


def test_a_file_on_its_way_is_of_no_size(tmp_path: Path) -> None:
    """Nobody has it open; it waits in a socket, also in one that nobody has accepted yet."""
    waiting, accepting = socket.socketpair(), socket.socket(socket.AF_UNIX)
    with waiting[0], waiting[1], accepting, socket.socket(socket.AF_UNIX) as caller:
        accepting.bind(str(tmp_path / "s"))
        accepting.listen()
        caller.connect(str(tmp_path / "s"))
        for sender in (waiting[0], caller):
            assert math.isfinite(taken(tmp_path))
            with (tmp_path / "file").open("wb") as file:
                socket.send_fds(sender, [b"x"], [file.fileno()])
            assert taken(tmp_path) == math.inf
            receiver = waiting[1] if sender is waiting[0] else accepting.accept()[0]
            for handle in socket.recv_fds(receiver, 1, 1)[1]:
                os.close(handle)
        receiver.close()


def test_a_file_that_goes_meanwhile_hides_no_other(tmp_path: Path) -> None:
    """Folders change while they are counted."""
    for name in ("gone", "there"):
        (tmp_path / name).write_bytes(bytes(MIB))
    with os.scandir(tmp_path) as files:
        listed = list(files)
    (tmp_path / "gone").unlink()
    assert sum(map(disk._bytes_of, listed)) >= MIB


def test_a_process_that_is_gone_takes_what_lies_in_its_folders(tmp_path: Path) -> None:
    """Its files stay; there is nothing else to ask."""
    (tmp_path / "file").write_bytes(bytes(MIB))
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    assert taken_bytes(pid, [tmp_path]) >= MIB
