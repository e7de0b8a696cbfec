"""The software of a run, or a recorded software, in CodeMeta 3.0 (JSON-LD)."""

from __future__ import annotations

from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.report.exports.exported_content import Content
from blockchaintracer.extras.report.gather import CIPHERTEXT, Facts
from blockchaintracer.extras.report.render import printable

CONTEXT = "https://w3id.org/codemeta/3.0"


def codemeta(facts: Facts, content: Content) -> bytes:
    """What the records say of the software.

    Raises:
        InputError: if the record is neither software nor leads to a run.
    """
    from blockchaintracer.extras.report.exports.json_text import json_text

    row = facts.asked.row
    if row.kind == "software":
        said = facts.asked.content
        values: dict[str, Any] = {
            "name": facts.asked.name,
            "version": said.version if said else None,
            "license": _licence(said.license if said else None),
            "codeRepository": said.source if said else None,
        }
    elif facts.run is not None and facts.run.run is not None:
        run = facts.run.run
        environment = run.environment.model_extra or {}
        python = environment.get("python")
        packages = environment.get("packages")
        values = {
            "name": facts.run.name,
            "codeRepository": run.code.remote,
            "version": run.code.commit,
            "runtimePlatform": f"Python {python['version']}"
            if isinstance(python, dict) and isinstance(python.get("version"), str)
            else None,
            "programmingLanguage": "Python" if python else None,
            "softwareRequirements": [
                {"@type": "SoftwareApplication", "name": printable(str(name)), "version": printable(str(version))}
                for name, version in sorted(packages.items())
            ]
            if isinstance(packages, dict)
            else None,
        }
    else:
        raise InputError(f"expected software or a run, got {row.kind} {row.id}")
    told = [printable(row.description), f"Record {row.id}; check it: {facts.verify_with}"]
    told += [f"{file.path} is {CIPHERTEXT}." for file in content.files if file.encrypted and row.kind == "software"]
    clean = {name: printable(value) if isinstance(value, str) else value for name, value in values.items() if value}
    return json_text(
        {
            "@context": CONTEXT,
            "@type": "SoftwareSourceCode",
            "description": " ".join(told).strip(),
            "author": [{"@type": "Person", "@id": f"did:pkh:eip155:{row.chain_id}:{row.author}"}],
            "identifier": f"urn:blockchaintracer:record:{row.id}",
            **clean,
        }
    )


def _licence(text: str | None) -> str | None:
    return f"https://spdx.org/licenses/{text}" if text and " " not in text else text
