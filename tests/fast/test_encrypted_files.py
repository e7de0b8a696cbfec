"""Files that are encrypted while they are read."""

import io
import os
import threading
import time

import pytest

from blockchaintracer.core.errors import BlockchainTracerError
from blockchaintracer.lab.private.field_tree import Context, new_salt
from blockchaintracer.lab.private.sealed_content import ContentOpening, decrypt_content, encrypt_content
from tests.support.labs import secret_file


def test_a_file_that_changes_while_it_is_read_is_refused(reader, tmp_path):
    data = secret_file(tmp_path, size=30 << 20)
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            os.utime(data, ns=(time.time_ns(), time.time_ns()))
            time.sleep(0.001)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        with pytest.raises(BlockchainTracerError, match="changed while it was read"):
            encrypt_content(data, io.BytesIO(), [reader[1]])
    finally:
        stop.set()
        changing.join()


def test_memory_stays_flat(reader, tmp_path):
    """A reader that hands out more than was asked for, or a writer that collects, would take the size of the file."""
    import resource

    data = tmp_path / "big"
    with data.open("wb") as out:
        out.truncate(128 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (tmp_path / "sealed").open("wb") as target:
        subject_type, digest = encrypt_content(data, target, [reader[1]])
    opening = ContentOpening(
        Context("1", "0x" + "11" * 20, 1, "0x" + "22" * 20), subject_type, digest, "big", new_salt()
    )
    with (tmp_path / "sealed").open("rb") as source:
        decrypt_content(source, opening, tmp_path / "back", [reader[0]])
    assert (tmp_path / "back").stat().st_size == 128 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
