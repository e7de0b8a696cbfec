"""`ci-token delete` of a stranger's document, which called the digest of something else a token, deleted that from the
lab's store. Documents of strangers about a record hid the token that its own group had recorded."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.core.verify.outcomes import Outcome
from blockchaintracer.extras.tokens import issuers, kept_tokens
from blockchaintracer.extras.tokens.kept_tokens import delete_token, tokens_of
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.published_secrets import TOKEN_VALUE
from blockchaintracer.lab.recording.content import commit_document, record_content
from tests.support.labs import second_lab

pytestmark = pytest.mark.node


@pytest.fixture
def stranger(lab: Lab, tmp_path: Path) -> Lab:
    return second_lab(lab, tmp_path / "stranger")


def token_of(lab: Lab, record: str, digest: str) -> str:
    values = {TOKEN_VALUE: {"provider": "github", "issuer": "https://token.actions.githubusercontent.com"}}
    links = [Link(record, Relation.SUPPORTS)]
    made = commit_document(lab, Kind.DOCUMENT, digest, links, name="CI token", subject_type="file", values=values)
    return made.id


def test_what_is_no_token_is_not_deleted(lab: Lab, stranger: Lab, file: Path) -> None:
    record = record_content(lab, Kind.DATASET, file)
    document = token_of(stranger, record.id, record.manifest)
    theirs = stranger.registry.find_record(document)
    assert theirs
    lab.store.put_bytes(stranger.store.get_bytes(theirs.key.manifest))
    with pytest.raises(InputError, match="nothing was deleted"):
        delete_token(lab, document)
    assert lab.store.path_of(record.manifest).is_file()


def test_strangers_hide_no_token(lab: Lab, stranger: Lab, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_tokens, "_MOST_DOCUMENTS", 2)
    record = record_content(lab, Kind.DATASET, file)
    for _ in range(2):
        token_of(stranger, record.id, os.urandom(32).hex())
    own = token_of(lab, record.id, os.urandom(32).hex())
    assert own in tokens_of(lab, record.id)


def test_a_data_set_of_a_group_is_no_witness(lab: Lab, stranger: Lab, file: Path) -> None:
    """A group that recorded the bytes of a key as anything, such as what it was sent, stood for the key."""
    made = record_content(stranger, Kind.DATASET, file)
    kept: Any = SimpleNamespace(key_digest=made.subject, document=SimpleNamespace(group=lab.group()))
    token: Any = SimpleNamespace(kid="key-1")
    check = kept_tokens._key_check(lab, kept, token, issuers.GITHUB, False, [stranger.group()], False)
    assert check.verdict is Outcome.UNKNOWN


def test_an_address_of_keys_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: Any) -> dict[str, str]:
        return {"issuer": issuers.GITHUB.url, "jwks_uri": "https://["}

    monkeypatch.setattr(issuers, "_get", answer)
    with pytest.raises(NotVerified, match="keeps its keys at another host"):
        issuers.fetch_key(issuers.GITHUB, "key-1")
