"""What the index knows beside records: seals, batches, and verdicts on records of other registries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.record import ForeignRecord, Verdict, label
from blockchaintracer.extras.search.database import Index


@dataclass(frozen=True, slots=True)
class SealRow:
    """A seal. Digests and ids are 64 hex digits, times Unix seconds.

    Args:
        revealed_at: None while it is not shown.
        record_id: of the record that was shown, or that the shown verdict is about.
        is_verdict: whether a verdict was shown.
    """

    commitment: str
    group: int
    author: str
    sealed_at: int
    revealed_at: int | None
    record_id: str | None
    is_verdict: bool
    transaction: str
    block: int

    def as_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch.

    Args:
        count: how many records its author declares, or the registry counted (`counted`).
        stored: how many of them are stored by now.
        manifest: SHA-256 of its description; None where the ids are on the chain.
    """

    root: str
    group: int
    author: str
    count: int
    counted: bool
    stored: int
    manifest: str | None
    time: int
    transaction: str
    block: int

    def as_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ForeignVerdictRow:
    """A verdict on a record of another registry, or its withdrawal (``none``), from its event.

    Args:
        evidence: id of the run it stands on; None without.
        current: whether it is what the group says now: the newest, and its evidence is not retracted.
    """

    chain_id: int
    foreign_registry: str
    record_id: str
    group: int
    verdict: str
    account: str
    evidence: str | None
    version: int
    current: bool
    time: int
    transaction: str
    block: int

    def as_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


def seals(
    index: Index, *, registry: Registry | None = None, group: int | None = None, author: str | None = None
) -> list[SealRow]:
    """All seals, oldest first, or those of a group or an author (0x-hex)."""
    rows = _rows(
        index,
        "SELECT s.*, t.hash AS transaction_hash, v.time AS revealed_at, v.is_verdict, r.id AS record_id FROM seals s"
        " JOIN transactions t ON t.pk = s.tx"
        # a verdict's evidence is shown by the same seal: the verdict is what was sealed
        " LEFT JOIN reveals v ON v.rowid = (SELECT o.rowid FROM reveals o WHERE o.registry = s.registry"
        "   AND o.lab_group = s.lab_group AND o.author = s.author AND o.commitment = s.commitment"
        "   ORDER BY o.is_verdict DESC, o.rowid LIMIT 1)"
        " LEFT JOIN records r ON r.pk = v.record",
        "s",
        registry,
        {"lab_group": group, "author": _address(author)},
    )
    return [
        SealRow(
            commitment=row["commitment"].hex(),
            group=row["lab_group"],
            author="0x" + row["author"].hex(),
            sealed_at=row["time"],
            revealed_at=row["revealed_at"],
            record_id=row["record_id"].hex() if row["record_id"] else None,
            is_verdict=bool(row["is_verdict"]),
            transaction=row["transaction_hash"].hex(),
            block=row["block"],
        )
        for row in rows
    ]


def batches(index: Index, *, registry: Registry | None = None, group: int | None = None) -> list[BatchRow]:
    """All batches, oldest first, or those of a group."""
    rows = _rows(
        index,
        "SELECT b.*, t.hash AS transaction_hash, d.digest, (SELECT count(*) FROM records r"
        "   WHERE r.registry = b.registry AND r.lab_group = b.lab_group AND r.author = b.author AND r.root = b.root"
        "   AND r.anchored_at IS NOT NULL) AS stored"
        " FROM batches b JOIN transactions t ON t.pk = b.tx LEFT JOIN documents d ON d.pk = b.document",
        "b",
        registry,
        {"lab_group": group},
    )
    return [
        BatchRow(
            root=row["root"].hex(),
            group=row["lab_group"],
            author="0x" + row["author"].hex(),
            count=row["count"],
            counted=bool(row["counted"]),
            stored=row["stored"],
            manifest=row["digest"].hex() if row["digest"] else None,
            time=row["time"],
            transaction=row["transaction_hash"].hex(),
            block=row["block"],
        )
        for row in rows
    ]


def foreign_verdicts(
    index: Index, *, registry: Registry | None = None, foreign: ForeignRecord | None = None
) -> list[ForeignVerdictRow]:
    """Every verdict on records of other registries, withdrawals included, oldest first, or those on one record."""
    about: dict[str, Any] = {}
    if foreign:
        about = {
            "chain_id": str(foreign.chain_id),
            "foreign_registry": _address(foreign.registry),
            "record_id": bytes.fromhex(foreign.record_id),
        }
    rows = _rows(
        index,
        "SELECT f.*, t.hash AS transaction_hash, f.verdict != 0 AND f.pk = (SELECT max(o.pk) FROM foreign_verdicts o"
        "   WHERE o.registry = f.registry AND o.chain_id = f.chain_id AND o.foreign_registry = f.foreign_registry"
        "   AND o.record_id = f.record_id AND o.lab_group = f.lab_group)"
        " AND NOT EXISTS (SELECT 1 FROM records r WHERE r.registry = f.registry AND r.id = f.evidence"
        "   AND r.retracted_at IS NOT NULL) AS current"
        " FROM foreign_verdicts f JOIN transactions t ON t.pk = f.tx",
        "f",
        registry,
        about,
    )
    return [
        ForeignVerdictRow(
            chain_id=int(row["chain_id"]),
            foreign_registry="0x" + row["foreign_registry"].hex(),
            record_id=row["record_id"].hex(),
            group=row["lab_group"],
            verdict=label(row["verdict"], Verdict),
            account="0x" + row["account"].hex(),
            evidence=row["evidence"].hex() if row["evidence"] else None,
            version=row["version"],
            current=bool(row["current"]),
            time=row["time"],
            transaction=row["transaction_hash"].hex(),
            block=row["block"],
        )
        for row in rows
    ]


def _rows(index: Index, select: str, table: str, registry: Registry | None, wanted: dict[str, Any]) -> Sequence[Any]:
    given = {name: value for name, value in wanted.items() if value is not None}
    numbers = index.registry_numbers(registry)
    marks = ", ".join("?" * len(numbers))
    conditions = [f"{table}.registry IN ({marks})", *(f"{table}.{name} = ?" for name in given)]
    return index.rows(f"{select} WHERE {' AND '.join(conditions)} ORDER BY {table}.pk", (*numbers, *given.values()))


def _address(text: str | None) -> bytes | None:
    return bytes.fromhex(text.removeprefix("0x")) if text else None
