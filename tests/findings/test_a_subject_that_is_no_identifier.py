"""A record whose subject is a signed statement or the root of a tree was told to be the digest of an identifier, and
the check passed if its manifest named one with this digest."""

from __future__ import annotations

from hashlib import sha256

import pytest

from blockchaintracer.core.manifest import Manifest
from blockchaintracer.core.manifest.predicates import RecordPredicate
from blockchaintracer.core.record import Kind, RecordKey, SubjectType
from blockchaintracer.core.verify.content_checks import check_subject
from blockchaintracer.core.verify.copies import FolderCopies
from blockchaintracer.core.verify.outcomes import Outcome

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("subject_type", "name"), [(SubjectType.STATEMENT, "statement"), (SubjectType.TREE, "tree"), (200, "200"), (0, "0")]
)
def test_what_is_not_known_of_it_is_not_passed(subject_type: int, name: str) -> None:
    identifier = "10.5281/zenodo.1"
    predicate = RecordPredicate(name="a thing", subject_type="identifier", identifier=identifier)
    subject = sha256(identifier.encode()).hexdigest()
    key = RecordKey(1, "0x" + "11" * 20, subject_type, subject, Kind.DOCUMENT, "22" * 32)
    for manifest in (None, Manifest.of(Kind.DOCUMENT, predicate)):
        [check] = check_subject(FolderCopies(), key, manifest)
        assert check.verdict is Outcome.UNKNOWN
        assert check.detail == f"it is of type {name}: what it is the digest of is not known here"
