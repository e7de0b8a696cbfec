"""What a manifest called encrypted was published unsearched, even a file that had been hidden: a stranger's manifest
can name the digest of any file of the lab as its ciphertext, and `export --artifacts` went by the ending `.age`."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.private.age import encrypt, new_identity
from blockchaintracer.lab.published_secrets import require_no_secrets
from blockchaintracer.lab.store.store import Store

pytestmark = pytest.mark.fast
HIDDEN = b"name,diagnosis\n"
SECRET = b"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY1\n"


def test_plain_bytes_are_searched_whatever_a_manifest_calls_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    hidden, secret = store.put_bytes(HIDDEN), store.put_bytes(SECRET)
    with pytest.raises(InputError, match=r"was hidden before: data\.age"):
        require_no_secrets(store, [("encrypted", "data.age", hidden)], hidden={hidden})
    with pytest.raises(InputError, match=r"seems to hold secrets: data\.age:1"):
        require_no_secrets(store, [("encrypted", "data.age", secret)])
    digest = store.put_bytes(encrypt(SECRET, [new_identity()[1]]))
    assert require_no_secrets(store, [("encrypted", "data.age", digest)], hidden={digest}) == []
