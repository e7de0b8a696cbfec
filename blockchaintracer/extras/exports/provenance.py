"""A record and its lineage in W3C PROV: PROV-JSON and PROV-N, by the `prov` package."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from blockchaintracer.extras.exports.export_facts import ExportFacts
from blockchaintracer.extras.exports.exported_files import Content
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.plain_text import CIPHERTEXT, LATEST, json_text, printable

NAMESPACE = "urn:blockchaintracer:"


def json_bytes(facts: ExportFacts, content: Content) -> bytes:
    """Write the lineage as PROV-JSON."""
    return json_text(json.loads(document(facts, content).serialize(format="json")))


def notation(facts: ExportFacts, content: Content) -> bytes:
    """Write the lineage as PROV-N."""
    return (str(document(facts, content).get_provn()) + "\n").encode()


def document(facts: ExportFacts, content: Content) -> Any:
    """Make the lineage: runs are activities, other records and files are entities, authors and groups are agents."""
    model = require("prov.model", "exports")
    doc = model.ProvDocument()
    doc.add_namespace("bt", NAMESPACE)
    doc.add_namespace("rec", f"{NAMESPACE}record:")
    doc.add_namespace("acct", f"did:pkh:eip155:{facts.chain_id}:")
    doc.add_namespace("sha256", "urn:sha256:")
    runs = set()
    for gathered in facts.lineage:
        record = gathered.record
        attributes: dict[str, Any] = {
            "prov:label": printable(gathered.name),
            **{f"bt:{name}": getattr(record, name) for name in ("kind", "group", "manifest", "subject")},
            "bt:transaction": record.transaction,
            "bt:registry": facts.registry,
            "bt:status": record.status,
            "bt:recordedAt": datetime.fromtimestamp(min(record.time, LATEST), UTC),
        }
        name, author = f"rec:{record.id}", f"acct:{record.key.author}"
        doc.agent(author, {"prov:type": model.PROV["Person"], "bt:group": record.group})
        if record.kind == "run":
            runs.add(record.id)
            run = gathered.run
            doc.activity(name, run and run.started_at, run and run.ended_at, attributes)
            doc.wasAssociatedWith(name, author)
        else:
            doc.entity(name, attributes)
            doc.wasAttributedTo(name, author)
    for edge in facts.links:
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
        if facts.asked.id in runs and file.role == "output":
            note = {"bt:content": CIPHERTEXT} if file.encrypted else {}
            doc.entity(f"sha256:{file.sha256}", {"prov:label": file.path, **note})
            doc.wasGeneratedBy(f"sha256:{file.sha256}", f"rec:{facts.asked.id}")
        elif file.encrypted:
            doc.entity(f"rec:{file.record}", {"bt:content": f"{file.path}, SHA-256 {file.sha256}: {CIPHERTEXT}"})
    return doc.unified()
