"""A GitHub user called "none": when nobody had that name any more, its file under the old name confirmed the claim."""

from __future__ import annotations

from typing import Any

import pytest

from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.core.record import Domain
from blockchaintracer.extras.identity.github import METHOD
from blockchaintracer.extras.identity.identity_claims import holder_of
from blockchaintracer.extras.identity.identity_page import page
from blockchaintracer.extras.identity.other_side import Asking
from tests.support.other_sides import other_sides

pytestmark = pytest.mark.evm


@pytest.mark.parametrize("user", ["none", "null", "octocat"])
def test_a_user_that_is_gone_confirms_nothing(monkeypatch: pytest.MonkeyPatch, user: str) -> None:
    about: dict[str, Any] = {"scheme": "github", "identifier": user, "signed_at": "1", "nonce": "0x" + "1" * 64}
    statement = IdentityStatement(chain_id="1", registry="0x" + "11" * 20, account="0x" + "22" * 20, **about)
    name = holder_of(Domain(1, "0x" + "11" * 20), statement)
    with other_sides() as sides:
        for variable, address in sides.variables.items():
            monkeypatch.setenv(variable, address)
        sides.github(user, page(statement, name))
        for is_there in (True, False):
            data = METHOD.fetch(statement, Asking(allow_local=True))
            assert data is not None
            assert METHOD.names(data, statement, 1).says is is_there
            sides.pages.pop(f"/users/{user}", None)
