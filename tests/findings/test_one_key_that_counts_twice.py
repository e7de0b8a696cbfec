"""A key stood in an address book twice, once with a space or a line end: its one holder was '2 of 2 keys'."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from blockchaintracer.core.errors import NotVerified
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.extras.community.book import read_book
from blockchaintracer.lab.formats import COMMUNITY

pytestmark = pytest.mark.fast
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SECOND = "ff" * 32


@pytest.mark.parametrize("change", [lambda it: f"{it[:2]} {it[2:]}", lambda it: f"{it}\n", str.upper])
def test_a_key_has_one_form(change: Any) -> None:
    signer = CryptoSigner.generate_ed25519()
    again = SSlibKey(SECOND, "ed25519", "ed25519", {"public": change(signer.public_key.keyval["public"])})
    ends, book = NOW + timedelta(days=100), {"name": "LIGO", "registries": []}
    root = Root(version=1, expires=ends, consistent_snapshot=None)
    for role in ("root", "targets"):
        root.add_key(signer.public_key, role)
        root.add_key(again, role)
        root.roles[role].threshold = 2
    target = TargetFile.from_data("book.json", canonical(book), ["sha256"])
    signed = [Metadata(root), Metadata(Targets(version=1, expires=ends, targets={"book.json": target}))]
    for metadata in signed:
        signature = metadata.sign(signer)
        metadata.signatures[SECOND] = Signature(SECOND, signature.signature)
    roots, targets = (it.to_dict() for it in signed)
    data = canonical({**COMMUNITY.header(), "roots": [roots], "targets": targets, "book": book})
    with pytest.raises(NotVerified, match="64 hex digits in lower case"):
        read_book(data, now=NOW)
