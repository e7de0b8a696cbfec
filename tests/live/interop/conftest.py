"""The libraries are installed when the first test asks for them, from the lock beside."""

from __future__ import annotations

import pytest

from tests.findings.conftest import CAROL, found
from tests.live.interop.libraries import install
from tests.support.evm import Chain, Contract


@pytest.fixture(scope="session", autouse=True)
def libraries() -> None:
    install()


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture
def registry(chain: Chain) -> Contract:
    return found(chain.deploy("LabRegistry", CAROL.address, True))
