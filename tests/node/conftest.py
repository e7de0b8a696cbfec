"""Ape's local chain, started by the first test that asks. Ape's own pytest plugin would start it with every pytest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def ape_chain() -> Iterator[Any]:
    """The chain that Ape is connected to, on an anvil of Ape's own."""
    import ape

    from tests.support.ape_nodes import started

    with started(lambda: ape.networks.ethereum.local.use_provider("foundry", disconnect_after=True)):
        yield ape.chain


@pytest.fixture(scope="session")
def accounts(ape_chain: Any) -> Any:
    """The accounts that have coin on Ape's chain."""
    import ape

    return ape.accounts.test_accounts


@pytest.fixture
def ape_isolation(ape_chain: Any) -> Iterator[None]:
    """Takes back after a test what it did on Ape's chain."""
    with ape_chain.isolate():
        yield
