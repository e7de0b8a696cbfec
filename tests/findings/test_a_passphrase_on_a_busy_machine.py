"""Where a machine is too busy for a file, age tries no passphrase: "the passphrase does not open it" was said of it."""

from __future__ import annotations

import pytest

from blockchaintracer.core.errors import KeyStoreError
from blockchaintracer.lab.private.age import open_with_passphrase

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(("factor", "told"), [(40, "was not tried"), (1, "does not open it, or it is damaged")])
def test_what_was_not_tried_is_not_called_wrong(factor: int, told: str) -> None:
    stanza = f"-> scrypt KLWS9l71Haj/6Hco8+fm7g {factor}\nf47IBbKUYYqO+K8BKUfj3oSpDtbIedKvaayCkvewILk\n"
    data = f"age-encryption.org/v1\n{stanza}--- {'A' * 43}\n".encode() + bytes(40)
    with pytest.raises(KeyStoreError, match=told):
        open_with_passphrase(data, "right", "it")
