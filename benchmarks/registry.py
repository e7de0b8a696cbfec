"""What LabRegistry's operations cost: the project's own side of the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from web3 import Web3

from benchmarks.chain import (
    CHAIN_ID,
    CODE_SIZE_LIMIT,
    DEADLINE,
    INITCODE_SIZE_LIMIT,
    Chain,
    Sent,
    Work,
)
from blockchaintracer.chain import load_artifact
from blockchaintracer.model import (
    DOMAIN_NAME,
    DOMAIN_VERSION,
    NO_END,
    Kind,
    Link,
    RecordKey,
    Relation,
    Role,
    SubjectType,
    Verdict,
)

NO_EVIDENCE: tuple[Any, ...] = (0, 0, 0, "0x" + "00" * 20, bytes(32), bytes(32), [])
BATCH = 100
REASON = "wrong calibration"
ALL_ROLES = int(Role.MAINTAINER | Role.RECORDER | Role.REVIEWER)  # web3 takes a flag for a collection
LINK = "Link(bytes32 parent,uint8 relation)"
RECORD = (
    "Record(uint32 group,uint8 kind,uint8 subjectType,address author,bytes32 subject,bytes32 manifest,Link[] parents)"
)


@dataclass(frozen=True)
class Figure:
    """Gas of an operation, and the least gas that its work can cost."""

    gas: int
    floor: int

    @classmethod
    def of(cls, sent: Sent, work: Work, each: int = 1) -> Figure:
        """Of a transaction that does the operation `each` times: the share of one, gas rounded up, floor down."""
        return cls(-(-sent.gas // each), sent.floor(work) // each)


@dataclass(frozen=True)
class Measured:
    """Everything measured of the registry.

    Args:
        operations: by the names used in gas.json, and further ones.
        deployment: gas of deploying one registry.
        code, initcode: sizes in bytes, to be held against EIP-170 and EIP-3860.
    """

    operations: dict[str, Figure]
    deployment: int
    code: int
    initcode: int

    @property
    def fits(self) -> bool:
        return self.code <= CODE_SIZE_LIMIT and self.initcode <= INITCODE_SIZE_LIMIT


def digest(label: str) -> str:
    """64 hex digits that look as random as a SHA-256, the same in every run."""
    return Web3.keccak(text=label).hex()


def read_artifact() -> tuple[list[Any], str]:
    """ABI and creation code of LabRegistry, as the client ships them."""
    artifact = load_artifact()
    return artifact["abi"], artifact["bytecode"]


def measure(chain: Chain) -> Measured:
    """Deploys a registry and runs every operation on it once, each as a transaction of its own.

    Account 0 owns group 1 and records in it, account 1 owns group 2 and attests from it, account 2 relays, account 3
    is invited.
    """
    abi, bytecode = read_artifact()
    registry, deployed = chain.deploy(abi, bytecode, chain.accounts[0].address, True)
    f = registry.functions
    domain = {
        "name": DOMAIN_NAME,
        "version": DOMAIN_VERSION,
        "chainId": CHAIN_ID,
        "verifyingContract": registry.address,
    }
    figures: dict[str, Figure] = {}

    def key(label: str, *links: tuple[str, Relation], kind: Kind = Kind.DATASET, group: int = 1) -> RecordKey:
        return RecordKey(
            group=group,
            kind=kind,
            subject_type=SubjectType.FILE,
            author=chain.accounts[group - 1].address,
            subject=digest(label),
            manifest=digest(label + "'s manifest"),
            parents=tuple(Link(*link) for link in links),
        )

    def record(key: RecordKey) -> tuple[str, Sent]:
        sent = chain.send(f.record(key.as_abi()), key.group - 1)
        return f.idOf(key.as_abi()).call().hex(), sent

    chain.send(f.createGroup(bytes.fromhex(digest("group 1")), ALL_ROLES))
    figures["create_group"] = Figure.of(
        chain.send(f.createGroup(bytes.fromhex(digest("group 2")), ALL_ROLES), 1), Work(new_slots=2, changed_slots=1)
    )

    strain, sent = record(key("strain"))
    figures["record"] = Figure.of(sent, Work(new_slots=1, cold_reads=1))
    parents = [record(key(f"parent {i}"))[0] for i in range(3)]

    # equal content, so that nothing but the parents differs; the dearest further parent counts
    runs = [
        Figure.of(
            record(key("run", *((parent, Relation.USES) for parent in parents[:n]), kind=Kind.RUN))[1],
            Work(new_slots=1, cold_reads=1 + n),
        )
        for n in range(4)
    ]
    figures["parent"] = max(
        (Figure(more.gas - less.gas, more.floor - less.floor) for less, more in pairwise(runs)), key=lambda it: it.gas
    )

    for size in (1, 10, BATCH):
        keys = [key(f"{i} of {size}").as_abi() for i in range(size)]
        figures[f"batch_{size}"] = Figure.of(
            chain.send(f.recordMany(keys)), Work(new_slots=size, cold_reads=1), each=size
        )

    signed = key("signed by one, relayed by another").as_abi()
    names = ("group", "kind", "subjectType", "author", "subject", "manifest", "parents")
    signature = chain.sign(
        0,
        domain,
        f"RecordAuthorization(Record record,uint40 deadline)\n{RECORD}\n{LINK}",
        {"record": dict(zip(names, signed, strict=True)), "deadline": DEADLINE},
    )
    figures["by_sig"] = Figure.of(
        chain.send(f.recordBySig(signed, DEADLINE, signature), 2), Work(new_slots=1, cold_reads=1, signatures=1)
    )
    figures["cancel"] = Figure.of(chain.send(f.cancel(key("cancelled").as_abi())), Work(new_slots=1))

    verdict = Work(new_slots=1, changed_slots=1, cold_reads=1)
    figures["attest_reviewed"] = Figure.of(chain.send(f.attest(_bytes(strain), 2, Verdict.REVIEWED), 1), verdict)

    result, _ = record(key("result", kind=Kind.RESULT))
    evidence = key("reproduction", (result, Relation.REPRODUCES), kind=Kind.RUN, group=2)
    record(evidence)
    figures["attest_reproduced"] = Figure.of(
        chain.send(f.attest(_bytes(result), 2, Verdict.REPRODUCED, evidence.as_abi()), 1),
        Work(new_slots=1, changed_slots=1, cold_reads=2),
    )

    attested, _ = record(key("attested by signature"))
    attester = chain.accounts[1].address
    signature = chain.sign(
        1,
        domain,
        "AttestationAuthorization(bytes32 recordId,uint32 group,uint8 verdict,bytes32 evidence,address attester,"
        "uint32 version,uint40 deadline)",
        {
            "recordId": _bytes(attested),
            "group": 2,
            "verdict": Verdict.REVIEWED,
            "evidence": bytes(32),
            "attester": attester,
            "version": 0,
            "deadline": DEADLINE,
        },
    )
    figures["attest_by_sig"] = Figure.of(
        chain.send(f.attestBySig(_bytes(attested), 2, Verdict.REVIEWED, NO_EVIDENCE, attester, DEADLINE, signature), 2),
        Work(new_slots=1, changed_slots=1, cold_reads=1, signatures=1),
    )
    figures["withdraw"] = Figure.of(chain.send(f.withdraw(_bytes(strain), 2), 1), Work(changed_slots=2, cold_reads=1))

    reason = bytes.fromhex(digest(REASON))
    withdrawn = key("wrong")
    record(withdrawn)
    figures["retract"] = Figure.of(
        chain.send(f.retract(withdrawn.as_abi(), reason)), Work(changed_slots=1, cold_reads=1)
    )
    # takes the verdict that rests on it along: its own slot, the verdict and the count
    figures["retract_evidence"] = Figure.of(
        chain.send(f.retract(evidence.as_abi(), reason), 1), Work(changed_slots=3, cold_reads=1)
    )

    invitation = {
        "group": 1,
        "account": chain.accounts[3].address,
        "roles": int(Role.RECORDER),
        "until": NO_END,
        "version": 0,
        "inviter": chain.accounts[0].address,
        "deadline": DEADLINE,
    }
    signature = chain.sign(
        0,
        domain,
        "Invitation(uint32 group,address account,uint32 roles,uint40 until,uint32 version,address inviter,"
        "uint40 deadline)",
        invitation,
    )
    figures["join_by_sig"] = Figure.of(
        chain.send(f.joinBySig(tuple(invitation.values()), signature), 3), Work(new_slots=1, cold_reads=1, signatures=1)
    )

    return Measured(figures, deployed.gas, len(chain.w3.eth.get_code(registry.address)), len(deployed.data))


def _bytes(record_id: str) -> bytes:
    return bytes.fromhex(record_id)
