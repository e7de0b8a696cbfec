"""`verify COMMITMENT` said that whoever had copied another's commitment "was committed to what it hides". They know
nothing of it and can never reveal it."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.record import from_hex, record_commitment
from tests.evm.verify.conftest import SALT, file_of
from tests.support.revm_lab import ALICE, BOB, RevmLab, Stranger

pytestmark = pytest.mark.evm


def test_who_reveals_it_was_committed_and_who_copied_it_was_not(tmp_path: Path) -> None:
    lab = RevmLab(tmp_path)
    key = file_of(lab, "plan")
    commitment = record_commitment(lab.id(key), SALT)
    for who, group in ((ALICE, 1), (BOB, 2)):
        copied = lab.do(who, "seal", group, from_hex(commitment))
    with lab.node.serving() as url:
        stranger = Stranger(lab, url)

        def proven(digest: str) -> dict[str, bool]:
            said = stranger.verifier.hash(digest).proves
            return {
                who.name: "was committed to what" in text
                for who in (ALICE, BOB)
                for text in said
                if who.address in text.lower()
            }

        assert proven(commitment) == {"alice": False, "bob": False}
        lab.do(ALICE, "reveal", key.as_abi(), from_hex(SALT))
        assert proven(commitment) == {"alice": True, "bob": False}
        assert proven(copied) == {"bob": False}
