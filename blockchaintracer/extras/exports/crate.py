"""A run as a Process Run Crate 0.5 (RO-Crate 1.1 with its files), any other record as an RO-Crate, by `rocrate`."""

from __future__ import annotations

import base64
import io
import tempfile
from pathlib import Path
from typing import Any

from blockchaintracer.core.manifest import RunPredicate
from blockchaintracer.extras.exports.export_facts import ExportFacts
from blockchaintracer.extras.exports.exported_files import Content, ExportedFile
from blockchaintracer.extras.search.rows import utc
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.plain_text import CIPHERTEXT, flat, printable

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
MANIFEST = "manifest.json"
_OWN = (MANIFEST, "ro-crate-metadata.json", "ro-crate-preview.html", "ro-crate-preview_files")
"""Names that the files of a record don't get: they would stand for the crate's own."""
_STATUS = {
    "completed": "http://schema.org/CompletedActionStatus",
    "failed": "http://schema.org/FailedActionStatus",
    "running": "http://schema.org/ActiveActionStatus",
}


def write_crate(facts: ExportFacts, content: Content, folder: Path) -> None:
    """Write the crate into a new folder: the files that are here, the manifest, and what they are."""
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        crate = _Crate(facts, content, Path(scratch)).crate
        folder.mkdir(parents=True)
        crate.write(folder)


class _Crate:
    """A crate of the record that a report is about, in `crate`."""

    def __init__(self, facts: ExportFacts, content: Content, scratch: Path) -> None:
        self._facts = facts
        self._content = content
        self._scratch = scratch
        self.crate = require("rocrate.rocrate", "exports").ROCrate(version="1.1")
        self._entities = require("rocrate.model.contextentity", "exports")
        record, dataset = facts.asked.record, facts.asked.content
        chain, registry = facts.chain_id, facts.registry
        root = self.crate.root_dataset
        self.crate.name = printable(facts.asked.name)
        self.crate.description = facts.described
        root["datePublished"] = utc(record.time)
        root["license"] = self._licence(dataset.license if dataset else None)
        group = self._add(
            f"urn:blockchaintracer:group:{chain}:{registry}:{record.group}",
            "Organization",
            name=f"group {record.group} of registry {registry}, chain {chain}",
        )
        person = require("rocrate.model.person", "exports")
        name = record.key.author
        author = self.crate.add(person.Person(self.crate, f"did:pkh:eip155:{chain}:{name}", {"name": name}))
        author["affiliation"] = group
        root["publisher"] = group
        root["author"] = author
        root["identifier"] = self._add(
            f"urn:blockchaintracer:record:{record.id}",
            "PropertyValue",
            name="record",
            propertyID="urn:blockchaintracer:record",
            value=record.id,
            description=f"registry {registry}, chain {chain}, transaction {record.transaction}",
        )
        files = {file: self._file(file) for file in content.files}
        if facts.asked.manifest is not None:
            data = facts.asked.manifest.to_bytes()
            properties = {
                "name": "manifest of the record: an in-toto Statement",
                "encodingFormat": "application/json",
                "sha256": record.manifest,
                "contentSize": str(len(data)),
            }
            self.crate.add_file(io.BytesIO(data), MANIFEST, properties=properties)
        if facts.asked.run is not None:
            root["conformsTo"] = self._add(PROFILE, "CreativeWork", name="Process Run Crate", version="0.5")
            root["mentions"] = self._action(facts.asked.run, author, files)

    def _add(self, identifier: str, kind: str, **properties: str) -> Any:
        return self.crate.add(self._entities.ContextEntity(self.crate, identifier, {"@type": kind, **properties}))

    def _action(self, run: RunPredicate, author: Any, files: dict[ExportedFile, Any]) -> Any:
        record = self._facts.asked.record
        instrument = self._add(
            f"urn:blockchaintracer:software:{run.run_id}",
            "SoftwareApplication",
            name=printable(run.code.entry_point or run.name),
            url=run.code.remote or f"urn:blockchaintracer:record:{record.id}",
            softwareVersion=run.code.commit or "no commit is recorded",
        )
        parameters = self._values("parameter", flat(run.parameters))
        metrics = self._values("metric", [(name, str(metric.value)) for name, metric in sorted(run.metrics.items())])
        for name, metric in zip(sorted(run.metrics), metrics, strict=True):
            if run.metrics[name].is_declared:
                metric["description"] = "declared by a person: no program told it"
        action = self._add(
            f"#{run.run_id}",
            "CreateAction",
            name=printable(run.name),
            description=printable(run.description or f"run {run.run_id}"),
            actionStatus=_STATUS[run.status],
            **({"startTime": _second(run.started_at)} if run.started_at else {}),
            endTime=_second(run.ended_at or utc(record.time)),
            **({"error": printable(run.error)} if run.error else {}),
        )
        action["instrument"] = instrument
        action["agent"] = author
        action["object"] = [entity for file, entity in files.items() if file.role == "input"] + parameters
        action["result"] = [entity for file, entity in files.items() if file.role == "output"] + metrics
        return action

    def _values(self, what: str, values: list[tuple[str, str]]) -> list[Any]:
        return [
            self._add(f"#{what}-{number}", "PropertyValue", name=printable(name), value=printable(value))
            for number, (name, value) in enumerate(values)
        ]

    def _file(self, file: ExportedFile) -> Any:
        properties = {
            "name": file.path.rpartition("/")[2],
            "sha256": file.sha256,
            **({"description": CIPHERTEXT} if file.encrypted else {}),
            **({"contentSize": str(file.size)} if file.size is not None else {}),
            "encodingFormat": file.format,
        }
        if file in self._content.missing:
            # RFC 6920: a name that is the digest, for what isn't here
            name = base64.urlsafe_b64encode(bytes.fromhex(file.sha256)).decode().rstrip("=")
            return self.crate.add_file(
                f"ni:///sha-256;{name}", fetch_remote=False, validate_url=False, properties=properties
            )
        place = f"content/{file.path}" if file.path.partition("/")[0].casefold() in _OWN else file.path
        return self.crate.add_file(self._content.copy(file, self._scratch), place, properties=properties)

    def _licence(self, text: str | None) -> Any:
        if text is None:
            return "not recorded"
        address = f"https://spdx.org/licenses/{text}" if " " not in text else "#licence"
        return self._add(address, "CreativeWork", name=printable(text))


def _second(time: str) -> str:
    """A time to the second, as the profile wants it; the manifest beside it has it whole."""
    return f"{time[:19]}+00:00"
