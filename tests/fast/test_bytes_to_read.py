"""How much there is to read, before it is read."""

import os
from pathlib import Path

from blockchaintracer.lab.files import bytes_in


def test_files_count_once_and_what_is_no_file_counts_nothing(tmp_path: Path) -> None:
    folder, file = tmp_path / "data" / "deep", tmp_path / "one"
    folder.mkdir(parents=True)
    for place in (folder / "a", folder.parent / "b", file):
        place.write_bytes(b"12345")
    (folder / "up").symlink_to(tmp_path)
    (folder / "link").symlink_to(file)
    (folder / "lost").symlink_to("nowhere")
    os.mkfifo(folder / "fifo")
    assert bytes_in([folder.parent, file, tmp_path / "none"]) == 4 * 5
