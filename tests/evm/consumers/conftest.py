"""A market of its own for every test."""

from __future__ import annotations

import pytest

from tests.support.market import Market


@pytest.fixture
def market() -> Market:
    return Market()
