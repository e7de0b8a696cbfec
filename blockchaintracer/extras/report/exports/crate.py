"""A run as a Process Run Crate 0.5 (RO-Crate 1.1 with its files), any other record as an RO-Crate, by `rocrate`."""

from __future__ import annotations

import base64
import io
import mimetypes
import tempfile
from pathlib import Path
from typing import Any

from blockchaintracer.extras.report.exports.exported_content import Content, File
from blockchaintracer.extras.report.gather import CIPHERTEXT, Facts, flat
from blockchaintracer.extras.report.render import printable
from blockchaintracer.extras.search.rows import utc
from blockchaintracer.lab.optional import require

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
MANIFEST = "manifest.json"


def write_crate(facts: Facts, content: Content, folder: Path) -> None:
    """Writes the crate into a new folder: the files that are here, the manifest, and what they are."""
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        crate = _crate(facts, content, Path(scratch))
        folder.mkdir(parents=True)
        crate.write(folder)


def _crate(facts: Facts, content: Content, scratch: Path) -> Any:
    rocrate = require("rocrate.rocrate", "exports")
    contextual = require("rocrate.model.contextentity", "exports")
    person = require("rocrate.model.person", "exports")
    row = facts.asked.row
    crate = rocrate.ROCrate(version="1.1")
    root = crate.root_dataset
    said = facts.asked.content
    crate.name = printable(facts.asked.name)
    crate.description = f"{printable(row.description)} Record {row.id}; check it: {facts.verify_with}".strip()
    root["datePublished"] = utc(row.time)
    root["license"] = _licence(crate, contextual, said.license if said else None)
    group = crate.add(
        contextual.ContextEntity(
            crate,
            f"urn:blockchaintracer:group:{row.chain_id}:{row.registry}:{row.group}",
            {"@type": "Organization", "name": f"group {row.group} of registry {row.registry}, chain {row.chain_id}"},
        )
    )
    author = crate.add(person.Person(crate, f"did:pkh:eip155:{row.chain_id}:{row.author}", {"name": row.author}))
    author["affiliation"] = group
    root["publisher"] = group
    root["author"] = author
    root["identifier"] = crate.add(
        contextual.ContextEntity(
            crate,
            f"urn:blockchaintracer:record:{row.id}",
            {
                "@type": "PropertyValue",
                "name": "record",
                "propertyID": "urn:blockchaintracer:record",
                "value": row.id,
                "description": f"registry {row.registry}, chain {row.chain_id}, transaction 0x{row.transaction}",
            },
        )
    )
    entities = {file: _file(crate, content, file, scratch) for file in content.files}
    if facts.asked.manifest is not None:
        data = facts.asked.manifest.to_bytes()
        crate.add_file(
            io.BytesIO(data),
            MANIFEST,
            properties={
                "name": "manifest of the record: an in-toto Statement",
                "encodingFormat": "application/json",
                "sha256": row.manifest,
                "contentSize": str(len(data)),
            },
        )
    if facts.asked.run is not None:
        profile = crate.add(
            contextual.ContextEntity(
                crate, PROFILE, {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
            )
        )
        root["conformsTo"] = profile
        root["mentions"] = _action(facts, crate, contextual, author, entities)
    return crate


def _action(facts: Facts, crate: Any, contextual: Any, author: Any, entities: dict[File, Any]) -> Any:
    run = facts.asked.run
    assert run is not None  # noqa: S101 -- asked by the caller
    code = run.code
    software = {
        "@type": "SoftwareApplication",
        "name": printable(code.entry_point or run.name),
        "url": code.remote or f"urn:blockchaintracer:record:{facts.asked.row.id}",
        "softwareVersion": code.commit or "no commit is recorded",
    }
    instrument = crate.add(contextual.ContextEntity(crate, f"urn:blockchaintracer:software:{run.run_id}", software))
    parameters = [
        crate.add(
            contextual.ContextEntity(
                crate,
                f"#parameter-{number}",
                {"@type": "PropertyValue", "name": printable(name), "value": printable(value)},
            )
        )
        for number, (name, value) in enumerate(flat(run.parameters))
    ]
    metrics = [
        crate.add(
            contextual.ContextEntity(
                crate,
                f"#metric-{number}",
                {"@type": "PropertyValue", "name": printable(name), "value": str(metric.value)},
            )
        )
        for number, (name, metric) in enumerate(sorted(run.metrics.items()))
    ]
    status = {
        "completed": "http://schema.org/CompletedActionStatus",
        "failed": "http://schema.org/FailedActionStatus",
        "running": "http://schema.org/ActiveActionStatus",
    }
    action = {
        "@type": "CreateAction",
        "name": printable(run.name),
        "description": printable(run.description or f"run {run.run_id}"),
        "actionStatus": status[run.status],
        **({"startTime": _second(run.started_at)} if run.started_at else {}),
        "endTime": _second(run.ended_at or utc(facts.asked.row.time)),
        **({"error": printable(run.error)} if run.error else {}),
    }
    made = crate.add(contextual.ContextEntity(crate, f"#{run.run_id}", action))
    made["instrument"] = instrument
    made["agent"] = author
    made["object"] = [entity for file, entity in entities.items() if file.role == "input"] + parameters
    made["result"] = [entity for file, entity in entities.items() if file.role == "output"] + metrics
    return made


def _file(crate: Any, content: Content, file: File, scratch: Path) -> Any:
    told = {
        "name": file.path.rpartition("/")[2],
        "sha256": file.sha256,
        **({"description": CIPHERTEXT} if file.encrypted else {}),
        **({"contentSize": str(file.size)} if file.size is not None else {}),
        "encodingFormat": file.media_type or mimetypes.guess_type(file.path)[0] or "application/octet-stream",
    }
    if file in content.missing:
        named = base64.urlsafe_b64encode(bytes.fromhex(file.sha256)).decode().rstrip("=")
        # RFC 6920: a name that is the digest, for what isn't here
        return crate.add_file(f"ni:///sha-256;{named}", fetch_remote=False, validate_url=False, properties=told)
    return crate.add_file(content.copy(file, scratch), file.path, properties=told)


def _licence(crate: Any, contextual: Any, text: str | None) -> Any:
    if text is None:
        return "not recorded"
    address = f"https://spdx.org/licenses/{text}" if " " not in text else "#licence"
    return crate.add(contextual.ContextEntity(crate, address, {"@type": "CreativeWork", "name": printable(text)}))


def _second(time: str) -> str:
    """A time to the second, as the profile wants it; the manifest beside it has it whole."""
    return f"{time[:19]}+00:00"
