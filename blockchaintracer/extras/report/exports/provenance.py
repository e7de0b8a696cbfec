"""A record and its lineage in W3C PROV: PROV-JSON and PROV-N, by the `prov` package."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from blockchaintracer.extras.report.exports.exported_content import Content
from blockchaintracer.extras.report.gather import CIPHERTEXT, Facts
from blockchaintracer.extras.report.render import printable
from blockchaintracer.lab.optional import require

NAMESPACE = "urn:blockchaintracer:"


def json_bytes(facts: Facts, content: Content) -> bytes:
    """The lineage as PROV-JSON."""
    import json

    from blockchaintracer.extras.report.exports.json_text import json_text

    return json_text(json.loads(document(facts, content).serialize(format="json")))


def notation(facts: Facts, content: Content) -> bytes:
    """The lineage as PROV-N."""
    return (str(document(facts, content).get_provn()) + "\n").encode()


def document(facts: Facts, content: Content) -> Any:
    """The lineage: runs are activities, other records and files are entities, authors and groups are agents."""
    model = require("prov.model", "exports")
    doc = model.ProvDocument()
    doc.add_namespace("bt", NAMESPACE)
    doc.add_namespace("rec", f"{NAMESPACE}record:")
    doc.add_namespace("acct", f"did:pkh:eip155:{facts.asked.row.chain_id}:")
    doc.add_namespace("sha256", "urn:sha256:")
    runs = set()
    for node in facts.lineage.nodes.values():
        row = node.row
        told: dict[str, Any] = {
            "prov:label": printable(row.name or f"{row.kind} {row.id[:12]}"),
            "bt:kind": row.kind,
            "bt:group": row.group,
            "bt:manifest": row.manifest,
            "bt:subject": row.subject,
            "bt:transaction": f"0x{row.transaction}",
            "bt:registry": row.registry,
            "bt:status": row.status,
        }
        author = f"acct:{row.author}"
        doc.agent(author, {"prov:type": model.PROV["Person"], "bt:group": row.group})
        if row.kind == "run":
            runs.add(row.id)
            doc.activity(f"rec:{row.id}", None, None, told | {"bt:recordedAt": _time(row.time)})
            doc.wasAssociatedWith(f"rec:{row.id}", author)
        else:
            doc.entity(f"rec:{row.id}", told | {"bt:recordedAt": _time(row.time)})
            doc.wasAttributedTo(f"rec:{row.id}", author)
    for edge in facts.lineage.edges:
        child, parent = f"rec:{edge.child}", f"rec:{edge.parent}"
        role = {"prov:role": edge.relation}
        match edge.child in runs, edge.parent in runs:
            case True, False:
                doc.used(child, parent, other_attributes=role)
            case False, True:
                doc.wasGeneratedBy(child, parent, other_attributes=role)
            case True, True:
                doc.wasInformedBy(child, parent, other_attributes={"bt:relation": edge.relation})
            case _:
                doc.wasDerivedFrom(child, parent, other_attributes={"bt:relation": edge.relation})
    for file in content.files:
        if facts.asked.row.id in runs and file.role == "output":
            told = {"bt:content": CIPHERTEXT} if file.encrypted else {}
            doc.entity(f"sha256:{file.sha256}", {"prov:label": file.path, **told})
            doc.wasGeneratedBy(f"sha256:{file.sha256}", f"rec:{facts.asked.row.id}")
        elif file.encrypted:
            doc.entity(f"rec:{file.record}", {"bt:content": f"{file.path}, SHA-256 {file.sha256}: {CIPHERTEXT}"})
    return doc.unified()


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(min(seconds, 253402300799), UTC)
