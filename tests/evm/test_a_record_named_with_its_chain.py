"""`verify` of Python refused `record="eip155:CHAIN:REGISTRY/ID"` beside a file: it looked for a proof by that text."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.api import verify
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import GlobalId
from blockchaintracer.core.trust import Trust
from blockchaintracer.core.verify.copies import object_name
from tests.evm.verify.conftest import file_of
from tests.support.revm_lab import RevmLab


def test_a_file_is_compared_with_it(tmp_path: Path) -> None:
    lab = RevmLab(tmp_path)
    key = file_of(lab, "data")
    lab.record(key)
    lab.node.mine(3)
    file = tmp_path / object_name(key.subject)
    with lab.node.serving() as url:
        trust = Trust(registry=lab.registry.address, chain_id=31337, rpc=url)
        for chain_id in (31337, 1):
            record = str(GlobalId(chain_id, lab.registry.address, lab.id("data")))
            if chain_id == 1:
                with pytest.raises(InputError, match="on chain 1"):
                    verify(file, trust, copies=tmp_path, record=record)
            else:
                assert verify(file, trust, copies=tmp_path, record=record).verified
