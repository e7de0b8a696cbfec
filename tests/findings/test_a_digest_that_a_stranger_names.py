"""Anyone may name any digest in an event: as a manifest, a reason, a description. A stranger who knew the digest of a
file that the lab never published had it taken along by `export` and `publish`, unasked and not searched for secrets."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from blockchaintracer.core.record import Kind, Link, RecordKey, Relation, SubjectType
from blockchaintracer.extras.archive.reader import Archive
from blockchaintracer.extras.archive.registry_archive import export_registry
from blockchaintracer.lab import groups
from blockchaintracer.lab.attest import retract
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Op, Transaction
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content, record_document
from tests.support.labs import second_lab, shared_lab

pytestmark = pytest.mark.node
PRIVATE = b"name,diagnosis\n"


@dataclass
class Story:
    lab: Lab
    private: str
    other: str
    foreign: str
    own: str


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A lab's private data, whose digest each kind of event of a stranger names; and a record that rests on one."""
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab, pytest.MonkeyPatch.context() as patch:
        here = tmp_path_factory.mktemp("files")
        (here / "private.csv").write_bytes(PRIVATE)
        private = hashlib.sha256(PRIVATE).hexdigest()
        record_content(lab, Kind.DATASET, here / "private.csv", name="private")
        stranger = second_lab(lab, tmp_path_factory.mktemp("stranger"))
        with patch.context() as as_stranger:
            as_stranger.setattr(groups, "store_profile", lambda *_: private)
            groups.create_group(stranger, "a group")
        key = RecordKey(
            stranger.group(), stranger.signer.address, SubjectType.FILE, os.urandom(32).hex(), Kind.DATASET, private
        )
        foreign = lab.domain.record_id(key)
        write = Transaction(Op.RECORD, lab.registry.address, record_id=foreign, key=key)
        stranger.write(write)
        (here / "theirs").write_text("theirs")
        theirs = record_content(stranger, Kind.DATASET, here / "theirs", name="theirs")
        found = lab.registry.find_record(theirs.id)
        assert found
        retracted = found.key
        stranger.write(
            Transaction(Op.RETRACT, lab.registry.address, record_id=theirs.id, key=retracted, reason=private)
        )
        (here / "on it").write_text("on it")
        links = [Link(foreign, Relation.DERIVED_FROM)]
        own = record_document(lab, Kind.DOCUMENT, here / "on it", parents=links, name="on it")
        (here / "wrong").write_text("wrong")
        wrong = record_content(lab, Kind.DATASET, here / "wrong", name="wrong").id
        retract(lab, wrong, "a sensor was broken")
        with batching(lab):
            record_content(lab, Kind.DATASET, here / "theirs", name="in a batch")
        anchor(lab)
        yield Story(lab, private, theirs.id, foreign, own.id)


def test_an_archive_has_what_events_are_said_to_name(story: Story, tmp_path: Path) -> None:
    export_registry(story.lab, tmp_path / "it.tar")
    with Archive.open(tmp_path / "it.tar") as archive:
        kept = [b"".join(archive.object_blocks(digest)) for digest in archive.objects]
    assert PRIVATE not in kept
    # the lab's own: manifests, its reason, the description of its group and of its batch
    assert b"a sensor was broken" in kept
    assert [sum(it.startswith(b'{"_type":') for it in kept) > 2, len(kept)] == [True, 7]
    export_registry(story.lab, tmp_path / "all.tar", artifacts=True)
    with Archive.open(tmp_path / "all.tar") as archive:
        assert story.private in archive.objects


def test_a_published_folder_has_no_file_that_an_ancestor_names(story: Story, tmp_path: Path) -> None:
    done = publish(story.lab, story.own, tmp_path / "published")
    assert any(story.foreign in it for it in done.left_out)
    assert all(file.read_bytes() != PRIVATE for file in (tmp_path / "published").rglob("*") if file.is_file())


def test_a_published_folder_describes_its_group(story: Story, tmp_path: Path) -> None:
    """A stranger's group is described by the digest of the private file."""
    [group] = [it for it in publish(story.lab, story.own, tmp_path / "published").objects if it.what == "group"]
    assert group.sha256 == groups.known_profile(story.lab, story.lab.group())
    assert b'"type":"urn:blockchaintracer:group:v1"' in story.lab.store.get_bytes(group.sha256)
    assert groups.describe_group(story.lab, story.lab.registry.last_group())["manifest"] == story.private
    assert groups.known_profile(story.lab, story.lab.registry.last_group()) is None
