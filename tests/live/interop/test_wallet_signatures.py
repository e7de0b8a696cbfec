"""Ids, signatures and commitments of viem, which shares no code with this project, are those of the registry."""

from __future__ import annotations

from typing import Any

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, MALLORY, refusal, run_reproducing
from tests.live.interop.libraries import ask, message, raw
from tests.model.eip712 import Key
from tests.model.registry import NO_END, RECORDER, REPRODUCED, REVIEWED, Signature
from tests.support.actors import Actor
from tests.support.evm import Contract

SALT = b"\x5a" * 32
FORMS = ("highS", "compact")


def erc5267(registry: Contract) -> dict[str, Any]:
    """The domain as a wallet reads it from the registry."""
    _, name, version, chain_id, contract, _, _ = registry.read("eip712Domain")
    return {"name": name, "version": version, "chainId": chain_id, "verifyingContract": contract}


def signed(registry: Contract, signer: Actor, primary_type: str, values: dict[str, Any]) -> dict[str, Signature]:
    """The signature and its other forms, by name."""
    (forms,) = ask(
        {
            "call": "sign",
            "key": signer.key.secret,
            "domain": erc5267(registry),
            "primaryType": primary_type,
            "message": values,
        }
    )
    return {form: Signature(raw(text)) for form, text in forms.items()}


def commitment(primary_type: str, **values: Any) -> bytes:
    return raw(ask({"call": "commitment", "primaryType": primary_type, "message": values})[0])


@pytest.fixture
def family(registry) -> tuple[Key, Key]:
    """Two records of Alice, and one that names both of them, one twice."""
    first, second = (registry.send(ALICE.address, "record", DATA._replace(subject=bytes([n]) * 32))[0] for n in (7, 8))
    parents = tuple(sorted([(first, 4), (first, 7), (second, 1)]))
    return DATA, DATA._replace(kind=130, subject_type=3, parents=parents)


def test_ids(registry, family) -> None:
    asked = [
        {"call": "hash", "domain": erc5267(registry), "primaryType": "Record", "message": message(key)}
        for key in (*family, run_reproducing(b"\xff" * 32), DATA._replace(group=2**32 - 1, kind=255))
    ]
    expected = [registry.read("idOf", key) for key in (*family, run_reproducing(b"\xff" * 32))]
    expected.append(registry.read("idOf", DATA._replace(group=2**32 - 1, kind=255)))
    assert [raw(answer) for answer in ask(*asked)] == expected


@pytest.mark.parametrize("which", [0, 1], ids=["no parents", "parents"])
def test_record(registry, family, which) -> None:
    key = family[which]
    forms = signed(registry, ALICE, "RecordAuthorization", {"record": message(key), "deadline": NO_END})
    for form in FORMS:
        met = refusal(lambda form=form: registry.send(MALLORY.address, "recordBySig", key, NO_END, forms[form]))
        assert met == ("InvalidSignature", (ALICE.address,))
    stored, _ = registry.send(MALLORY.address, "recordBySig", key, NO_END, forms["signature"])
    assert stored == registry.read("idOf", key)
    for form in FORMS:
        met = refusal(lambda form=form: registry.send(MALLORY.address, "recordBySig", key, NO_END, forms[form]))
        assert met == ("RecordExists", (stored, registry.chain.now))


@pytest.mark.parametrize("verdict", [REVIEWED, REPRODUCED])
def test_verdict(registry, verdict) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    evidence = (run_reproducing(record),) if verdict == REPRODUCED else ()
    evidence_id = registry.send(BOB.address, "record", *evidence)[0] if evidence else bytes(32)
    values = {
        "group": 2,
        "attester": BOB.address,
        "recordId": record,
        "verdict": verdict,
        "evidence": evidence_id,
        "version": 0,
        "deadline": NO_END,
    }
    forms = signed(registry, BOB, "AttestationAuthorization", values)
    arguments = (2, BOB.address, record, verdict, *evidence, NO_END)
    function = "attestWithEvidenceBySig" if evidence else "attestBySig"
    for form in FORMS:
        met = refusal(lambda form=form: registry.send(MALLORY.address, function, *arguments, forms[form]))
        assert met == ("InvalidSignature", (BOB.address,))
    registry.send(MALLORY.address, function, *arguments, forms["signature"])
    assert registry.read("verdictOf", 2, record)[0] == verdict


def test_invitation(registry) -> None:
    invitation = {
        "group": 1,
        "inviter": ALICE.address,
        "account": CAROL.address,
        "roles": RECORDER,
        "until": registry.chain.now + 1000,
        "inviterVersion": 1,
        "version": 0,
        "deadline": registry.chain.now,
    }
    forms = signed(registry, ALICE, "Invitation", invitation)
    values = tuple(invitation.values())
    for form in FORMS:
        met = refusal(lambda form=form: registry.send(CAROL.address, "joinBySig", values, forms[form]))
        assert met == ("InvalidSignature", (ALICE.address,))
    registry.send(CAROL.address, "joinBySig", values, forms["signature"])
    now = registry.chain.now
    assert registry.read("membershipOf", 1, CAROL.address) == (RECORDER, now, now + 1000, 1)


def test_a_sealed_record(registry, family) -> None:
    key = family[1]
    sealed = commitment("RecordCommitment", recordId=registry.read("idOf", key), salt=SALT)
    registry.send(ALICE.address, "seal", 1, sealed)
    time = registry.chain.now
    registry.chain.now += 100
    record, _ = registry.send(ALICE.address, "reveal", key, SALT)
    status = registry.read("statusOf", record)
    assert (status[4], status[6]) == (time + 100, time)


@pytest.mark.parametrize("verdict", [REVIEWED, REPRODUCED])
def test_a_sealed_verdict(registry, verdict) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    evidence = (run_reproducing(record),) if verdict == REPRODUCED else ()
    sealed = commitment(
        "VerdictCommitment",
        group=2,
        attester=BOB.address,
        recordId=record,
        verdict=verdict,
        evidence=registry.read("idOf", *evidence) if evidence else bytes(32),
        salt=SALT,
    )
    registry.send(BOB.address, "seal", 2, sealed)
    time = registry.chain.now
    registry.chain.now += 100
    function = "revealVerdictWithEvidence" if evidence else "revealVerdict"
    registry.send(BOB.address, function, 2, record, verdict, *evidence, SALT)
    assert registry.read("verdictOf", 2, record)[2:4] == (time + 100, time)


def test_a_wallet_of_several_owners(registry) -> None:
    """Two of three owners sign what viem makes for ERC-7739; a wallet of OpenZeppelin's parts accepts it (ERC-1271)."""
    owners = (ALICE, BOB, CAROL)
    wallet = registry.chain.deploy("MultiOwnerWallet", [raw(owner.address) for owner in owners], 2)
    registry.chain.at("Wallet", wallet.address)
    invitation = (2, BOB.address, wallet.address, RECORDER, NO_END, 1, 0, NO_END)
    names = ("group", "inviter", "account", "roles", "until", "inviterVersion", "version", "deadline")
    consent = signed(registry, BOB, "Invitation", dict(zip(names, invitation, strict=True)))["signature"]
    registry.send(wallet.address, "joinBySig", invitation, consent)
    verifier = erc5267(wallet) | {"salt": bytes(32)}

    def by(*signers: Actor, key: Key) -> Signature:
        request = {
            "call": "nested",
            "keys": [signer.key.secret for signer in signers],
            "verifierDomain": verifier,
            "domain": erc5267(registry),
            "primaryType": "RecordAuthorization",
            "message": {"record": message(key), "deadline": NO_END},
        }
        return Signature(raw(ask(request)[0]))

    first, second = (DATA._replace(group=2, author=wallet.address, subject=bytes([n]) * 32) for n in (1, 2))
    for signers in ((ALICE,), (ALICE, MALLORY), (ALICE, ALICE)):
        given = by(*signers, key=first)
        met = refusal(lambda given=given: registry.send(MALLORY.address, "recordBySig", first, NO_END, given))
        assert met == ("InvalidSignature", (wallet.address,))
    two = by(ALICE, CAROL, key=first)
    stored, _ = registry.send(MALLORY.address, "recordBySig", first, NO_END, two)
    met = refusal(lambda: registry.send(MALLORY.address, "recordBySig", second, NO_END, two))
    assert met == ("InvalidSignature", (wallet.address,)), "what they signed names one record"

    # an owner leaves: what is stored stays, also under the signature that wouldn't be accepted now
    before, later = registry.read("statusOf", stored), by(ALICE, CAROL, key=second)
    leave = wallet.interface.encode_call("removeOwner", raw(CAROL.address))
    registry.chain.call(ALICE.address, wallet.address, leave, static=False)
    assert registry.read("statusOf", stored) == before
    met = refusal(lambda: registry.send(MALLORY.address, "recordBySig", second, NO_END, later))
    assert met == ("InvalidSignature", (wallet.address,))
    registry.send(MALLORY.address, "recordBySig", second, NO_END, by(BOB, ALICE, key=second))
