"""A stranger's receipt can name hundreds of blocks and calendars. Each was asked about, and each time a node that does
not answer was waited for again."""

from __future__ import annotations

from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import pytest
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation
from opentimestamps.core.op import OpAppend, OpSHA256
from opentimestamps.core.timestamp import Timestamp

from blockchaintracer.extras.witness.bitcoin_headers import TrustedHeaders, headers_of_node
from blockchaintracer.extras.witness.stamping import check_receipt
from blockchaintracer.extras.witness.witness_settings import WitnessTrust
from blockchaintracer.extras.witness.witness_time import TimeStanding
from tests.fast.test_witness_receipts import CALENDAR, SUBJECT
from tests.support.calendar_simulator import written
from tests.support.serving import serving


def of_blocks(count: int) -> bytes:
    stamp = Timestamp(bytes.fromhex(SUBJECT.sha256))
    for number in range(count):
        node = stamp.ops.add(OpAppend(number.to_bytes(2))).ops.add(OpSHA256())
        node.attestations.add(BitcoinBlockHeaderAttestation(number))
    return written(stamp)


@pytest.mark.fast
def test_no_more_are_asked_about_than_calendars_give() -> None:
    asked = list[int]()
    trust = WitnessTrust(bitcoin=TrustedHeaders(node=asked.append))
    [said] = check_receipt(replace(CALENDAR, proof=of_blocks(300)), trust, SUBJECT)
    assert (said.standing, "at most 32 attestations" in said.detail, asked) == (TimeStanding.REFUSED, True, [])
    assert len(check_receipt(replace(CALENDAR, proof=of_blocks(8)), trust, SUBJECT)) == len(asked) == 8


@pytest.mark.node
def test_a_node_that_does_not_answer_is_waited_for_once() -> None:
    asked = list[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as url:
        trust = WitnessTrust(bitcoin=TrustedHeaders(node=headers_of_node(url)))
        said = check_receipt(replace(CALENDAR, proof=of_blocks(8)), trust, SUBJECT)
    assert [(it.standing, it.unavailable) for it in said] == [(TimeStanding.CONSISTENT, True)] * 8
    assert len(asked) == 1
