"""What LabRegistry's operations cost: the project's own side of the comparison."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import pairwise
from typing import Any

from eth_account.messages import encode_typed_data
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
from blockchaintracer.core.chain import load_artifact
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record import (
    NO_END,
    Domain,
    GlobalId,
    Kind,
    Link,
    RecordKey,
    Relation,
    Role,
    SubjectType,
    Verdict,
    from_hex,
    record_commitment,
    record_message,
    verdict_commitment,
)

# a tree of a million leaves in 5 s instead of 20; without effect where something was hashed before
os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")

NO_LIMIT = 1 << 30
SIZES = (1, 10, 100, 1024)
MILLION = 1_000_000
LINEAGE = 10
LENS = 100
REASON = "wrong calibration"
ALL_ROLES = int(Role.MAINTAINER | Role.RECORDER | Role.REVIEWER)  # web3 takes a flag for a collection
ANCHOR = Work(new_slots=1, cold_reads=1)


@dataclass(frozen=True)
class Figure:
    """Gas of an operation, and the least gas that its work can cost."""

    gas: int
    floor: int

    @classmethod
    def of(cls, sent: Sent, work: Work) -> Figure:
        return cls(sent.gas, sent.floor(work))

    @classmethod
    def of_each(cls, sent: Sequence[tuple[int, Sent]], work: Callable[[int], Work]) -> Figure:
        """The share of one record in transactions that each take a number of them: gas rounded up, floor down."""
        size = sum(count for count, _ in sent)
        return cls(-(-sum(it.gas for _, it in sent) // size), sum(it.floor(work(count)) for count, it in sent) // size)


@dataclass(frozen=True)
class Measured:
    """Everything measured of the registry.

    Args:
        operations: by the names used in gas.json.
        most: how many records one transaction takes: by its gas alone (``batch_largest``), and as far as geth's pool
            takes it (``batch_pool``, ``leaves_largest``).
        deployments: gas of deploying each contract.
        code, initcode: sizes of the registry in bytes, to be held against EIP-170 and EIP-3860.
    """

    operations: dict[str, Figure]
    most: dict[str, int]
    deployments: dict[str, int]
    code: int
    initcode: int

    @property
    def fits(self) -> bool:
        return self.code <= CODE_SIZE_LIMIT and self.initcode <= INITCODE_SIZE_LIMIT


def digest(label: str) -> str:
    """64 hex digits that look as random as a SHA-256, the same in every run."""
    return Web3.keccak(text=label).hex()


@cache
def tree_of(record_id: str, size: int) -> MerkleTree:
    """A tree over a record and as many others as make up the size."""
    return MerkleTree([record_id, *(sha256(b"%d of %d" % (i, size)).hexdigest() for i in range(1, size))])


def measure(chain: Chain) -> Measured:
    """Deploys a registry and runs every operation on it once, each as a transaction of its own.

    Account 0 owns group 1 and records in it, account 1 owns group 2 and attests from it, account 2 relays, account 3
    is invited.
    """
    return _Bench(chain).measure()


class _Bench:
    def __init__(self, chain: Chain) -> None:
        artifact = load_artifact()
        self.chain = chain
        self.author, self.attester = chain.accounts[0].address, chain.accounts[1].address
        self.registry, self.deployed = chain.deploy(artifact["abi"], artifact["bytecode"], self.author, True)
        self.f = self.registry.functions
        self.domain = Domain(CHAIN_ID, self.registry.address)
        self.figures: dict[str, Figure] = {}
        self.most: dict[str, int] = {}

    def measure(self) -> Measured:
        self._groups()
        self._records()
        self._batches()
        self._signed_records()
        self._verdicts()
        self._retractions()
        self._seals()
        self._roots()
        self._leaves()
        self._foreign_verdicts()
        self._lineage()
        self._lens()
        code = len(self.chain.w3.eth.get_code(self.registry.address))
        return Measured(self.figures, self.most, self._deployments(), code, len(self.deployed.data))

    def _deployments(self) -> dict[str, int]:
        artifact = load_artifact("LabRegistryFactory")
        factory, deployed = self.chain.deploy(artifact["abi"], artifact["bytecode"])
        made = self.chain.send(factory.functions.deploy(self.author, True, _bytes(digest("salt"))))
        lens = load_artifact("RegistryLens")
        return {
            "a registry": self.deployed.gas,
            "the factory": deployed.gas,
            "a registry by the factory": made.gas,
            "the lens": self.chain.deploy(lens["abi"], lens["bytecode"])[1].gas,
        }

    def _groups(self) -> None:
        self.chain.send(self.f.createGroup(ALL_ROLES, _bytes(digest("group 1"))))
        created = self.chain.send(self.f.createGroup(ALL_ROLES, _bytes(digest("group 2"))), 1)
        self.figures["create_group"] = Figure.of(created, Work(new_slots=2, changed_slots=1))

        invitation = {
            "group": 1,
            "inviter": self.author,
            "account": self.chain.accounts[3].address,
            "roles": int(Role.RECORDER),
            "until": NO_END,
            "inviterVersion": 1,
            "version": 0,
            "deadline": DEADLINE,
        }
        joined = self.f.joinBySig(tuple(invitation.values()), self._sign(0, "Invitation", invitation))
        self.figures["join_by_sig"] = Figure.of(
            self.chain.send(joined, 3), Work(new_slots=1, cold_reads=2, signatures=1)
        )

    def _records(self) -> None:
        self.figures["record"] = Figure.of(self._record(self._key("strain")), Work(new_slots=1, cold_reads=1))

        parents = [self._recorded(self._key(f"parent {i}")) for i in range(3)]
        # equal content, so that nothing but the parents differs; the dearest further parent counts
        runs = [
            Figure.of(
                self._record(self._key("run", *((parent, Relation.USES) for parent in parents[:n]), kind=Kind.RUN)),
                Work(new_slots=1, cold_reads=1 + n),
            )
            for n in range(4)
        ]
        self.figures["parent"] = max(
            (Figure(more.gas - less.gas, more.floor - less.floor) for less, more in pairwise(runs)),
            key=lambda it: it.gas,
        )

    def _batches(self) -> None:
        def work(count: int) -> Work:
            return Work(new_slots=count, cold_reads=1)

        keys: list[Any] = []
        for size in SIZES:
            keys = [self._key(f"{i} of {size}").as_abi() for i in range(size)]
            sent = self.chain.send_all(keys, self.f.recordMany)
            self.figures[f"batch_{size}"] = Figure.of_each(sent, work)
            self.most["batch_pool"] = sent[0][0]

        keys = [self._key(f"{i} of the largest").as_abi() for i in range(len(keys))]
        most = self.chain.most(keys, self.f.recordMany, size_limit=NO_LIMIT)
        self.most["batch_largest"] = most
        self.figures["batch_largest"] = Figure.of_each([(most, self.chain.send(self.f.recordMany(keys[:most])))], work)

    def _signed_records(self) -> None:
        key = self._key("signed by one, relayed by another")
        signature = self._sign(0, "RecordAuthorization", {"record": record_message(key), "deadline": DEADLINE})
        relayed = self.chain.send(self.f.recordBySig(key.as_abi(), DEADLINE, signature), 2)
        self.figures["by_sig"] = Figure.of(relayed, Work(new_slots=1, cold_reads=1, signatures=1))
        cancelled = self.chain.send(self.f.cancel(self._key("cancelled").as_abi()))
        self.figures["cancel"] = Figure.of(cancelled, Work(new_slots=1))

    def _verdicts(self) -> None:
        strain = self._id(self._key("strain"))
        reviewed = self.chain.send(self.f.attest(2, strain, Verdict.REVIEWED), 1)
        self.figures["attest_reviewed"] = Figure.of(reviewed, Work(new_slots=1, changed_slots=1, cold_reads=1))

        result = self._recorded(self._key("result", kind=Kind.RESULT))
        evidence = self._reproduction(result)
        self._record(evidence)
        reproduced = self.chain.send(
            self.f.attestWithEvidence(2, _bytes(result), Verdict.REPRODUCED, evidence.as_abi()), 1
        )
        self.figures["attest_reproduced"] = Figure.of(reproduced, Work(new_slots=1, changed_slots=1, cold_reads=2))

        attested = _bytes(self._recorded(self._key("attested by signature")))
        authorization = {
            "recordId": attested,
            "group": 2,
            "verdict": Verdict.REVIEWED,
            "evidence": bytes(32),
            "attester": self.attester,
            "version": 0,
            "deadline": DEADLINE,
        }
        signature = self._sign(1, "AttestationAuthorization", authorization)
        relayed = self.chain.send(
            self.f.attestBySig(2, self.attester, attested, Verdict.REVIEWED, DEADLINE, signature), 2
        )
        self.figures["attest_by_sig"] = Figure.of(
            relayed, Work(new_slots=1, changed_slots=1, cold_reads=1, signatures=1)
        )
        withdrawn = self.chain.send(self.f.withdraw(2, strain), 1)
        self.figures["withdraw"] = Figure.of(withdrawn, Work(changed_slots=2, cold_reads=1))

    def _retractions(self) -> None:
        reason = _bytes(digest(REASON))
        self._record(self._key("wrong"))
        retracted = self.chain.send(self.f.retract(self._key("wrong").as_abi(), reason))
        self.figures["retract"] = Figure.of(retracted, Work(changed_slots=1, cold_reads=1))

        # takes the verdict that rests on it along: its own slot, the verdict and the count
        evidence = self._reproduction(self.domain.record_id(self._key("result", kind=Kind.RESULT)))
        retracted = self.chain.send(self.f.retract(evidence.as_abi(), reason), 1)
        self.figures["retract_evidence"] = Figure.of(retracted, Work(changed_slots=3, cold_reads=1))

    def _seals(self) -> None:
        salt = digest("salt")
        plan = self._key("plan", kind=Kind.PLAN)
        sealed = self.chain.send(self.f.seal(1, _bytes(record_commitment(self.domain.record_id(plan), salt))))
        self.figures["seal"] = Figure.of(sealed, ANCHOR)
        revealed = self.chain.send(self.f.reveal(plan.as_abi(), _bytes(salt)))
        self.figures["reveal"] = Figure.of(revealed, Work(new_slots=1, cold_reads=2))

        def reveal_verdict(label: str, stored: bool) -> Sent:
            result = self._recorded(self._key(label, kind=Kind.RESULT))
            evidence = self._reproduction(result)
            evidence_id = self.domain.record_id(evidence)
            commitment = verdict_commitment(2, self.attester, result, Verdict.REPRODUCED, evidence_id, salt)
            self.chain.send(self.f.seal(2, _bytes(commitment)), 1)
            if stored:
                self._record(evidence)
            shown = self.f.revealVerdictWithEvidence(
                2, _bytes(result), Verdict.REPRODUCED, evidence.as_abi(), _bytes(salt)
            )
            return self.chain.send(shown, 1)

        self.figures["reveal_verdict"] = Figure.of(
            reveal_verdict("judged blind", stored=True), Work(new_slots=1, changed_slots=1, cold_reads=3)
        )
        self.figures["reveal_verdict_with_evidence"] = Figure.of(
            reveal_verdict("judged blind, evidence unseen", stored=False),
            Work(new_slots=2, changed_slots=1, cold_reads=2),
        )

    def _roots(self) -> None:
        key, manifest = self._key("one of many"), _bytes(digest("the batch's manifest"))
        record_id = self.domain.record_id(key)
        trees = {size: tree_of(record_id, size) for size in (*SIZES, MILLION)}
        for size, tree in trees.items():
            anchored = self.chain.send(self.f.anchor(1, _bytes(tree.root), size, manifest))
            self.figures[f"anchor_{size}"] = Figure.of(anchored, ANCHOR)
        # always the same work: they differ by the zero bytes of the root and the number
        self.figures["anchor_root"] = max(
            (self.figures[f"anchor_{size}"] for size in trees), key=lambda figure: figure.gas
        )

        root, proof = _bytes(trees[MILLION].root), self._proof(trees[MILLION], record_id, depth=20)
        verified = self.f.batchedAt(1, self.author, _bytes(record_id), root, proof)
        if verified.call() == 0:
            raise RuntimeError("expected the registry to find the record in its batch, it did not")
        self.figures["verify_leaf_20"] = Figure(self.chain.executed(verified), Work(cold_reads=1).gas())
        self._materialize(key, trees[MILLION], proof)

    def _leaves(self) -> None:
        key = self._key("one of the leaves")
        for size in SIZES:
            tree = tree_of(self.domain.record_id(key), size)
            sent = self.chain.send(self.f.anchorLeaves(1, [_bytes(it) for it in tree.values]))
            self.figures[f"leaves_{size}"] = Figure.of_each([(size, sent)], lambda _: ANCHOR)
        self._materialize(key, tree, self._proof(tree, self.domain.record_id(key), depth=10))

        ids = sorted(_bytes(digest(f"{i} of the largest")) for i in range(4 * size))
        most = self.chain.most(ids, lambda some: self.f.anchorLeaves(1, some))
        self.most["leaves_largest"] = most
        sent = self.chain.send(self.f.anchorLeaves(1, ids[:most]))
        self.figures["leaves_largest"] = Figure.of_each([(most, sent)], lambda _: ANCHOR)

    def _proof(self, tree: MerkleTree, record_id: str, depth: int) -> list[bytes]:
        proof = [_bytes(it) for it in tree.proof(record_id)]
        if len(proof) != depth:
            raise RuntimeError(f"expected a Merkle path of {depth} nodes, got {len(proof)}")
        return proof

    def _materialize(self, key: RecordKey, tree: MerkleTree, proof: list[bytes]) -> None:
        stored = self.chain.send(self.f.materialize(key.as_abi(), _bytes(tree.root), proof), 2)
        self.figures[f"materialize_{len(proof)}"] = Figure.of(stored, ANCHOR)

    def _foreign_verdicts(self) -> None:
        elsewhere = GlobalId(10, Web3.to_checksum_address("0x" + digest("registry")[:40]), digest("elsewhere"))
        another = GlobalId(elsewhere.chain_id, elsewhere.registry, digest("another one"))
        reviewed = self.f.attestForeign(2, another.as_abi(), Verdict.REVIEWED)
        self.figures["attest_foreign"] = Figure.of(self.chain.send(reviewed, 1), ANCHOR)

        reference = RecordKey(
            group=2,
            kind=Kind.REFERENCE,
            subject_type=SubjectType.IDENTIFIER,
            author=self.attester,
            subject=sha256(str(elsewhere).encode()).hexdigest(),
            manifest=digest("the reference's manifest"),
        )
        run = self._reproduction(self._recorded(reference))
        self._record(run)
        evidence = (reference.as_abi(), run.as_abi())
        reproduced = self.chain.send(
            self.f.attestForeignWithEvidence(2, elsewhere.as_abi(), Verdict.REPRODUCED, *evidence), 1
        )
        self.figures["attest_foreign_reproduced"] = Figure.of(reproduced, Work(new_slots=2, cold_reads=2))

    def _lineage(self) -> None:
        path = [self._key("the first of the line")]
        for i in range(1, LINEAGE):
            path.append(self._key(f"{i} in the line", (self.domain.record_id(path[-1]), Relation.DERIVED_FROM)))
        for key in path:
            self._record(key)
        asked = self.f.lineageStatus([key.as_abi() for key in path], range(LINEAGE - 1))
        if asked.call() != [0, bytes(32)]:
            raise RuntimeError(f"expected the lineage to be clean, it is {asked.call()}")
        self.figures[f"lineage_{LINEAGE}"] = Figure(self.chain.executed(asked), Work(cold_reads=LINEAGE).gas())

    def _lens(self) -> None:
        """A Lens that is asked for a hundred records that are stored."""
        artifact = load_artifact("RegistryLens")
        lens, _ = self.chain.deploy(artifact["abi"], artifact["bytecode"])
        keys = [self._key(f"{number} of those asked of the lens") for number in range(LENS)]
        self.chain.send(self.f.recordMany([key.as_abi() for key in keys]))
        asked = lens.functions.statusesOf(self.registry.address, [self._id(key) for key in keys])
        if {reading for reading, _ in asked.call()} != {3}:
            raise RuntimeError("expected the Lens to read every record, it did not")
        each = -(-self.chain.executed(asked) // LENS)
        self.figures[f"lens_{LENS}"] = Figure(each, Work(cold_reads=1).gas())

    def _key(self, label: str, *links: tuple[str, Relation], kind: Kind = Kind.DATASET, group: int = 1) -> RecordKey:
        return RecordKey(
            group=group,
            kind=kind,
            subject_type=SubjectType.FILE,
            author=self.chain.accounts[group - 1].address,
            subject=digest(label),
            manifest=digest(label + "'s manifest"),
            parents=tuple(Link(*link) for link in links),
        )

    def _reproduction(self, record_id: str) -> RecordKey:
        """A Run of group 2 that reproduces a record."""
        return self._key("reproduction", (record_id, Relation.REPRODUCES), kind=Kind.RUN, group=2)

    def _record(self, key: RecordKey) -> Sent:
        return self.chain.send(self.f.record(key.as_abi()), key.group - 1)

    def _recorded(self, key: RecordKey) -> str:
        """The id of a key that is recorded first."""
        self._record(key)
        return self.domain.record_id(key)

    def _id(self, key: RecordKey) -> bytes:
        return _bytes(self.domain.record_id(key))

    def _sign(self, signer: int, primary_type: str, message: dict[str, Any]) -> bytes:
        document = self.domain.typed_data(primary_type, message)
        return self.chain.sign_message(signer, encode_typed_data(full_message=document))


def _bytes(hex_digits: str) -> bytes:
    return from_hex(hex_digits)
