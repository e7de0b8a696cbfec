"""The software of a run, or a recorded software, in CodeMeta 3.0 (JSON-LD)."""

from __future__ import annotations

from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import RunPredicate
from blockchaintracer.extras.exports.export_facts import ExportFacts
from blockchaintracer.extras.exports.exported_files import Content
from blockchaintracer.lab.plain_text import CIPHERTEXT, json_text, printable

CONTEXT = "https://w3id.org/codemeta/3.0"


def codemeta(facts: ExportFacts, content: Content) -> bytes:
    """Write what the records say of the software."""
    record, software = facts.asked.record, facts.asked.content
    notes = [facts.described]
    if record.kind == "software":
        values: dict[str, Any] = {"name": facts.asked.name}
        if software:
            values |= {"version": software.version, "license": _licence(software.license)}
            values["codeRepository"] = software.source
        notes += [f"{file.path} is {CIPHERTEXT}." for file in content.files if file.encrypted]
    elif facts.run is not None and facts.run.run is not None:
        values = {"name": facts.run.name, **_of_run(facts.run.run)}
    else:
        raise InputError(f"expected software or a run, got {record.kind} {record.id}")
    clean = {name: printable(value) if isinstance(value, str) else value for name, value in values.items() if value}
    return json_text(
        {
            "@context": CONTEXT,
            "@type": "SoftwareSourceCode",
            "description": " ".join(notes),
            "author": [{"@type": "Person", "@id": f"did:pkh:eip155:{facts.chain_id}:{record.key.author}"}],
            "identifier": f"urn:blockchaintracer:record:{record.id}",
            **clean,
        }
    )


def _of_run(run: RunPredicate) -> dict[str, Any]:
    environment = run.environment.model_extra or {}
    python, packages = environment.get("python"), environment.get("packages")
    version = python.get("version") if isinstance(python, dict) else None
    required = sorted(packages.items()) if isinstance(packages, dict) else []
    return {
        "codeRepository": run.code.remote,
        "version": run.code.commit,
        "runtimePlatform": f"Python {version}" if isinstance(version, str) else None,
        "programmingLanguage": "Python" if python else None,
        "softwareRequirements": [
            {"@type": "SoftwareSourceCode", "name": printable(str(name)), "version": printable(str(number))}
            for name, number in required
        ],
    }


def _licence(text: str | None) -> str | None:
    return f"https://spdx.org/licenses/{text}" if text and " " not in text else text
