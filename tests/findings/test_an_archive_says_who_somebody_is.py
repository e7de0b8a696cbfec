"""A stranger's archive held a forged claim of the lab's own account. The lab kept it, published it with its records,
and these were not verified any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.plain_json import canonical, parse_json
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.identity.identity_claims import claim
from blockchaintracer.lab.kept_identities import (
    IdentityEvidence,
    IdentityRecord,
    file_name,
    holder_name,
    recorded_alone,
)
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from tests.findings.test_a_stranger_says_who_somebody_is import ORCID, changed, entry_of, said
from tests.support.labs import second_lab, typed

pytestmark = pytest.mark.node


def test_what_nobody_recorded_is_not_kept(lab: Lab, tmp_path: Path, file: Path) -> None:
    record = record_content(lab, Kind.DATASET, file)
    other = second_lab(lab, tmp_path / "other")
    honest = entry_of(other, claim(other, "orcid", ORCID, for_group=False, supersedes=record.id).id)
    statement = said(honest).to_json() | {"account": lab.signer.address.lower()}
    manifest = changed(honest, statement=statement)
    about = {"manifest": manifest.digest(), "subject": manifest.subject_digest, "author": lab.signer.address}
    key = type(honest.key)(**{it: getattr(honest.key, it) for it in honest.key.__slots__} | about)
    name = holder_name(lab.domain, account=lab.signer.address)
    for entries in ((IdentityRecord(key, manifest),), (honest,)):
        place = other.home.path / file_name(name)
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(IdentityEvidence(lab.domain, name, entries).to_bytes())
        where = ("--rpc", lab.devnet.start().url, "--chain-id", str(lab.chain_id), "--registry", lab.registry.address)
        archive = str(tmp_path / f"{entries[0].key.author}.tar")
        assert typed("export", "-o", archive, *where, home=other.home.path).returncode == 0
        assert typed("import", archive, *where, home=lab.home.path).returncode == 0
        assert not (lab.home.path / file_name(name)).exists()

    theirs = holder_name(lab.domain, account=other.signer.address)
    good = IdentityEvidence(lab.domain, theirs, (honest,)).to_bytes()
    ids = {lab.domain.record_id(honest.key)}
    assert recorded_alone(good, file_name(theirs), lab.domain, ids) == good
    plain = parse_json(good, "it")
    for damage in ({"holder": name}, {"records": 1}, {"records": [plain["records"][0] | {"manifest": {}}]}):
        assert recorded_alone(canonical(plain | damage), file_name(theirs), lab.domain, ids) is None
    # a forged entry beside the honest one takes nothing away
    [entry] = plain["records"]
    for forged in ({"manifest": {}}, {"key": entry["key"] | {"group": "x"}}, {"page": "AA=="}, {"more": 1}):
        both = canonical(plain | {"records": [entry, entry | forged]})
        assert recorded_alone(both, file_name(theirs), lab.domain, ids) == good
    for damaged in (b"", b"[]", b"{}", good[:-1]):
        assert recorded_alone(damaged, file_name(theirs), lab.domain, ids) is None
