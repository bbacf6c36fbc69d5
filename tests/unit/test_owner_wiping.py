"""A wipe: everything in the folders, counted, and nothing outside of them."""

from pathlib import Path

from parkade_agent.owner.wiping import Wiped, wipe


def test_everything_in_the_folders_goes_and_nothing_else(tmp_path: Path) -> None:
    """Files, folders, sockets' kin and links, but never what a link points at."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "photo").write_bytes(b"123")
    slots = tmp_path / "slots"
    (slots / "pod-1" / "work").mkdir(parents=True)
    (slots / "pod-1" / "work" / "shard").write_bytes(b"12345")
    (slots / "pod-1" / "empty").mkdir()
    (slots / "file").write_bytes(b"")
    (slots / "folder-link").symlink_to(outside)
    (slots / "broken-link").symlink_to(tmp_path / "nowhere")
    links = sum((slots / name).lstat().st_size for name in ("folder-link", "broken-link"))
    assert wipe([slots, tmp_path / "missing"]) == Wiped(4, 5 + links)
    assert list(slots.iterdir()) == []
    assert (outside / "photo").read_bytes() == b"123"
    assert wipe([slots]) == Wiped()
