"""The receipts of a batch's root in a bundle were used up by the first of its records: the others seemed to have
none."""

from __future__ import annotations

import json

import pytest
import rfc8785

from blockchaintracer import Trust, verify_bundle
from blockchaintracer.core.record import Domain
from blockchaintracer.extras.witness import StampedSubject, WitnessKind, WitnessReceipt, bundle_times
from blockchaintracer.extras.witness.witness_time import TimeStanding
from tests.fast.test_witness_receipts import TRUST
from tests.support.authority import token
from tests.support.forged_bundles import Forged, blocks_of

pytestmark = pytest.mark.fast


def test_each_record_of_it_has_its_time() -> None:
    plain = json.loads(Forged(batched=True, count=3).data())
    domain = Domain(int(plain["chainId"]), plain["registry"])
    ids = [record["id"] for record in plain["records"]]
    subjects = [
        StampedSubject.of_root(domain, plain["records"][0]["batched"]["root"]),
        StampedSubject.of_record(domain, ids[1]),
        StampedSubject.of_record(domain, "0x" + "55" * 32),
    ]
    plain["witnesses"] = [WitnessReceipt(WitnessKind.RFC3161, it, token(it.sha256)).as_json() for it in subjects]
    data = rfc8785.dumps(plain)
    *times, others = bundle_times(verify_bundle(data, Trust(blocks=blocks_of(data))), trust=TRUST)
    assert [(it.subject, len(it.witnesses)) for it in times] == [(ids[0], 1), (ids[1], 2), (ids[2], 1)]
    assert {it.standing for time in times for it in time.witnesses} == {TimeStanding.VERIFIED}
    assert others.failed == (f"a receipt is of {subjects[2]}, which is no record of the bundle",)
