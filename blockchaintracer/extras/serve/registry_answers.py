"""What each question is answered with, read from one state of the index, in the forms of the verbs' ``--json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.networks import network_by_chain_id
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.core.record import Domain, from_hex, normal_digest, normal_id, to_hex
from blockchaintracer.extras.lineage import lineage
from blockchaintracer.extras.search import Index, Row, query, retraction, verdicts
from blockchaintracer.extras.search.rows import record_key, records, required_number, utc
from blockchaintracer.extras.search.searchable import read_json, searchable_fields
from blockchaintracer.extras.serve.follower import Following
from blockchaintracer.extras.serve.published import PublishedFolder
from blockchaintracer.extras.serve.readers import Unanswered
from blockchaintracer.lab.global_ids import with_global_ids

MAX_NODES = 200
"""Records of a lineage in each direction."""
MAX_FOLLOWED = 2_000
"""Ancestors that are asked whether they were retracted."""

_GROUPS = (
    'SELECT l.lab_group AS "group", d.digest, d.json, min(l.block) OVER (PARTITION BY l.lab_group) AS created,'
    " row_number() OVER (PARTITION BY l.lab_group ORDER BY l.pk DESC) AS place"
    " FROM group_descriptions l JOIN documents d ON d.pk = l.document WHERE l.registry = ? AND l.lab_group > ?"
)


class NotFound(InputError):
    """What was asked for is not in the index, or is not published."""


@dataclass(frozen=True)
class Answers:
    """Answers about one registry."""

    domain: Domain
    published: PublishedFolder

    def as_of(self, index: Index, state: Following) -> dict[str, Any]:
        """Say up to which block an answer holds, and whether all before it is known."""
        select = (
            "SELECT b.number, b.hash, b.time FROM registries g"
            " JOIN blocks b ON b.registry = g.pk AND b.number = g.block WHERE g.chain_id = ? AND g.address = ?"
        )
        rows = index.rows(select, (self.domain.chain_id, self.domain.registry))
        if not rows:
            raise Unanswered("the registry has not been read yet", hint=state.problem or "Try again in a moment.")
        [(number, block_hash, time)] = rows
        silent = state.silent_since
        return {
            "block": number,
            "blockHash": to_hex(block_hash),
            "time": time,
            "timeUtc": utc(time),
            "complete": None if not state.has_followed else state.gap is None,
            "gap": state.gap,
            "nodeSilentSince": utc(silent) if silent else None,
        }

    def registry(self, index: Index, state: Following) -> dict[str, Any]:
        """Describe the registry, as `registry show`, and up to which block it is known."""
        network = network_by_chain_id(self.domain.chain_id)
        facts = dict.fromkeys(("owner", "offeredTo", "openGroupCreation", "successor"))
        known = facts if state.facts is None else state.facts
        place = {"registry": self.domain.registry, "chainId": self.domain.chain_id}
        return {**known, **place, "network": network.name if network else None, "asOf": self.as_of(index, state)}

    def health(self, index: Index, state: Following) -> dict[str, Any]:
        """Say whether the index follows its chain."""
        status = "ok" if state.has_followed and state.problem is None else "stale"
        return {"status": status, "problem": state.problem, "asOf": self.as_of(index, state)}

    def groups(self, index: Index, after: int, limit: int) -> dict[str, Any]:
        """List the groups by number."""
        [number] = self._numbers(index)
        rows = index.rows(
            f'SELECT * FROM ({_GROUPS}) AS g WHERE place = 1 ORDER BY "group" LIMIT ?',  # noqa: S608 -- all values are bound
            (number, after, limit + 1),
        )
        groups = []
        for row in rows[:limit]:
            fields = searchable_fields(read_json((row["json"] or "").encode()) or {})
            about = {"group": row["group"], "name": fields.name, "description": fields.description or None}
            groups.append({**about, "manifest": row["digest"].hex(), "createdInBlock": row["created"]})
        is_more = len(rows) > limit
        return {"groups": groups, "more": is_more, "next": groups[-1]["group"] if is_more else None}

    def records(self, index: Index, limit: int, conditions: dict[str, Any]) -> dict[str, Any]:
        """Search the records, as `query`."""
        self._numbers(index)
        if (after := conditions.get("after")) is not None:
            self._number(index, after)
        try:
            rows = query(index, registry=self.domain, limit=limit + 1, **conditions)
        except InputError as error:
            # well formed, but there is no such place in this order
            raise NotFound(error.message, hint=error.hint) if "after" in error.values else error from None
        return self._page(rows, limit)

    def file(self, index: Index, digest: str, limit: int, after: str | None) -> dict[str, Any]:
        """Find all records of these bytes."""
        digest = normal_digest(digest)
        page = self.records(index, limit, {"subject": digest, "after": after})
        kept = self.published.key_file(digest)
        # the folder may hold proofs of other registries, and files that are not what their names say
        if kept and kept[1].key.subject == digest and self._is_own(kept[1]) and not self._is_known(index, kept[1].id):
            page["batched"] = [{"id": kept[1].id, "batch": getattr(kept[1], "root", None)}]
        return self._global({"sha256": digest, "batched": [], **page})

    def record(self, index: Index, record_id: str) -> dict[str, Any]:
        """Show all that is known of a record."""
        number = self._number(index, record_id)
        [row] = records(index, [number])
        return self._global(
            {
                "record": row.as_json(),
                "key": record_key(index, number).as_json(),
                "verdicts": as_json(verdicts(index, row.id, registry=self.domain)),
                "retraction": as_json(retraction(index, row.id, registry=self.domain)),
                "published": self.published.files_of(row),
                "proof": self.proof(row.id) is not None,
            }
        )

    def lineage(self, index: Index, record_id: str, depth: int) -> dict[str, Any]:
        """Show what a record came from and what came of it, as `lineage`."""
        self._number(index, record_id)
        graph = lineage(index, record_id, depth, registry=self.domain, most=MAX_NODES, followed=MAX_FOLLOWED)
        return self._global(graph.as_json())

    def manifest(self, index: Index, digest: str) -> bytes:
        """Return the bytes of a published manifest that the chain names."""
        digest = normal_digest(digest, "manifest's SHA-256")
        named = index.rows("SELECT 1 FROM documents WHERE digest = ?", (from_hex(digest),))
        if not named or (data := self.published.manifest(digest)) is None:
            raise NotFound(
                f"expected a published manifest, got {digest}, which is not published here",
                hint="A record's key names its manifest; its author decides whether it is published.",
            )
        return data

    def proof(self, record_id: str) -> bytes | None:
        """Return the published key file of a record of this registry, which may be in a batch only."""
        kept = self.published.key_file(normal_id(record_id))
        return kept[0] if kept and self._is_own(kept[1]) and kept[1].id == normal_id(record_id) else None

    def required_proof(self, record_id: str) -> bytes:
        """As `proof`.

        Raises:
            NotFound: if there is none.
        """
        if (data := self.proof(record_id)) is None:
            raise NotFound(
                f"expected a record whose key is published, got {record_id}, of which none is published here",
                hint="`blockchaintracer publish ID --to FOLDER` publishes it with the record.",
            )
        return data

    def _page(self, rows: Sequence[Row], limit: int) -> dict[str, Any]:
        is_more = len(rows) > limit
        page = {"records": [row.as_json() for row in rows[:limit]], "more": is_more}
        return self._global({**page, "next": rows[limit - 1].id if is_more else None})

    def _global(self, answer: dict[str, Any]) -> dict[str, Any]:
        return with_global_ids(answer, lambda: self.domain)  # type: ignore[no-any-return]

    def _is_own(self, file: Any) -> bool:
        return (file.chain_id, file.registry) == (self.domain.chain_id, self.domain.registry)

    def _is_known(self, index: Index, record_id: str) -> bool:
        [number] = self._numbers(index)
        return bool(index.rows("SELECT 1 FROM records WHERE registry = ? AND id = ?", (number, from_hex(record_id))))

    def _numbers(self, index: Index) -> list[int]:
        try:
            return index.registry_numbers(self.domain)
        except InputError:
            raise Unanswered("the registry has not been read yet", hint="Try again in a moment.") from None

    def _number(self, index: Index, record_id: str) -> int:
        self._numbers(index)
        try:
            return required_number(index, record_id, self.domain)
        except InputError as error:
            if "record" not in error.values:
                raise
            hint = "Check the id and the registry; a new record is found once its block was read."
            if self.proof(record_id):
                hint = f"It is in a batch only. Its proof: /v1/records/{normal_id(record_id)}/proof"
            raise NotFound(
                f"expected a record of {self.domain.registry} on chain {self.domain.chain_id}, got {record_id}, which"
                " is not in the index",
                hint=hint,
            ) from None
