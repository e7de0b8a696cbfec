"""An archive was imported without a chain, and gave records places that they do not have. Where a node had forgotten
the true ones, `verify --before` took the archive's word: the later record was "verified" to be the earlier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.extras.archive.contents import event_lines, parse_events
from blockchaintracer.extras.archive.form import EVENTS, SUMS, SUMS512
from blockchaintracer.extras.archive.reader import Archive
from blockchaintracer.extras.archive.registry_archive import export_registry, import_registry
from blockchaintracer.extras.archive.writer import write_archive
from blockchaintracer.extras.search.rows import index_keys
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.verify_here import verify, verify_order
from tests.support.memory_node import MODES, answering, forgetful
from tests.support.registry_life import FULL, Life, live

pytestmark = pytest.mark.evm


def forged(file: Path, ids: list[str]) -> None:
    """Exchange the places of two records in an archive."""
    with Archive.open(file) as archive:
        members = {name: archive.read(name) for name in archive._members if name not in (SUMS, SUMS512)}
    events = parse_events(members[EVENTS])
    one, other = (next(at for at, event in enumerate(events) if record in event.topics) for record in ids)
    content = events[one].topics, events[one].data
    events[one] = events[one]._replace(topics=events[other].topics, data=events[other].data)
    events[other] = events[other]._replace(topics=content[0], data=content[1])
    members[EVENTS] = b"".join(event_lines(events))
    with file.open("wb") as target:
        write_archive(target, members)


def reader(life: Life, home: Path) -> Lab:
    keys: Any = [lambda domain: index_keys(Home(home).index, domain)]
    return Lab(Home(home), rpc=FULL, registry_address=life.lab.registry.address, keys=keys)


@pytest.mark.parametrize("mode", MODES)
def test_the_later_record_is_not_verified_to_be_the_earlier(tmp_path: Path, mode: str) -> None:
    life, ids = live(tmp_path), list[str]()
    with answering(full=life.node.answer):
        for name in ("first", "second"):
            (tmp_path / name).write_text(name)
            ids.append(record_content(life.lab, Kind.DATASET, tmp_path / name, name=name).id)
        life.node.mine(4)
        export_registry(life.lab, tmp_path / "registry.tar")
        forged(tmp_path / "registry.tar", ids)
        import_registry(reader(life, tmp_path / "home"), tmp_path / "registry.tar", offline=True)
    with answering(full=forgetful(life.node, mode, life.node.head)):
        lab = reader(life, tmp_path / "home")
        assert verify_order(lab, *ids).verified
        assert verify_order(lab, *reversed(ids)).verified is False
        # a key proves itself, whoever gave it
        assert verify(lab, ids[0]).records
