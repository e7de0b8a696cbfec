"""A damaged file of receipts in a published folder counted as one that is not there, without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.witness.kept_receipts import found_receipts, receipts_name
from blockchaintracer.extras.witness.witness_receipt import StampedSubject
from blockchaintracer.lab.formats import WITNESSES
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.store.sources import read_page

pytestmark = pytest.mark.fast
SUBJECT = StampedSubject.of_text("it")
NAME = receipts_name(SUBJECT)


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 99, b"<html>not found</html>", WITNESSES.prefix.encode()])
def test_it_is_named(tmp_path: Path, content: bytes) -> None:
    assert not found_receipts(Home(tmp_path / "home"), SUBJECT, [str(tmp_path)]).any
    path = tmp_path / NAME
    path.parent.mkdir()
    path.write_bytes(content)
    found = found_receipts(Home(tmp_path / "home"), SUBJECT, [str(tmp_path)])
    [problem] = [*found.problems, *found.damaged]
    assert str(path) in problem
    assert bool(found.damaged) is (WITNESSES.prefix.encode() in content), "what a server answered decides nothing"


def test_one_that_is_too_large_is_named(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.parent.mkdir()
    path.write_bytes(b"more")
    with pytest.raises(InputError, match=f"{path}.*more than the 3 bytes allowed"):
        read_page(str(tmp_path), NAME, 3, WITNESSES)
