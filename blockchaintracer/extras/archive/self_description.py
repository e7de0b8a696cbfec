"""What tells a reader in thirty years what an archive is: a text, metadata, the formats, the contract and its input."""

from __future__ import annotations

from importlib.resources import files

from blockchaintracer.core.formats import PUBLISHED
from blockchaintracer.core.networks import when
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.verify.copies import VERSION_FILE
from blockchaintracer.extras.archive.contents import Head
from blockchaintracer.extras.archive.form import BLOCKS, CRATE, EVENTS, HEAD, README, SUMS, SUMS512
from blockchaintracer.lab.published_pages import PAGE

_DOCUMENTS = ("formats", "manifest", "contracts")
_CONTRACT = {"contract/LabRegistry.json": "LabRegistry.json", "contract/compiler-input.json": "verification.json"}
_PARTS = {
    "objects/": "manifests, listings and files, each named by its SHA-256",
    "proofs/": "the key of each record, with what proves that a block holds it",
    "identities/": "claims of who holds a key",
    "witnesses/": "receipts of witnesses of time",
    "renewals/": "hash trees by SHA-512 and SHA3-256 over what records commit to",
    "docs/": "the formats of all files",
    "contract/": "the registry's code, its interface and the compiler's input",
}
_FILES = {
    README: ("text/plain", "how to check a record without this program"),
    HEAD: ("application/json", "which registry of which chain, and up to which block"),
    EVENTS: ("application/jsonl", "every event of the registry, as the chain holds it"),
    BLOCKS: ("application/jsonl", "number, hash and time of the blocks that hold them"),
    SUMS: ("text/plain", "the SHA-256 of every other file"),
    SUMS512: ("text/plain", "the SHA-512 of every file but the two listings"),
}


def describing(head: Head, names: set[str]) -> dict[str, bytes]:
    """Return the members that describe an archive.

    Args:
        names: of its other members.
    """
    package = files("blockchaintracer")
    members = {
        README: _readme(head),
        VERSION_FILE: canonical(PUBLISHED.header()),
        **{f"docs/{name}.md": (package / "extras/archive/docs" / f"{name}.md").read_bytes() for name in _DOCUMENTS},
        **{name: (package / "core/artifacts" / file).read_bytes() for name, file in _CONTRACT.items()},
    }
    if PAGE.is_file():
        members["page.html"] = PAGE.read_bytes()
    return members | {CRATE: _crate(head, names | members.keys())}


def _readme(head: Head) -> bytes:
    text = (files("blockchaintracer") / "extras/archive/README.txt").read_text()
    about = {"CHAIN": head.chain_id, "REGISTRY": head.registry, "BLOCK": str(head.block.number)}
    for name, value in (about | {"DATE": when(head.block.timestamp), "EVENTS": str(head.events)}).items():
        text = text.replace(f"@{name}@", value)
    return text.encode()


def _crate(head: Head, names: set[str]) -> bytes:
    """RO-Crate 1.1. The time is that of the last event's block, so that the same state gives the same bytes."""
    where = f"registry {head.registry} on chain {head.chain_id}"
    folders = {name: text for name, text in _PARTS.items() if any(it.startswith(name) for it in names)}
    parts = [{"@id": name} for name in (*_FILES, *folders)]
    date = f"{when(head.block.timestamp)[:10]}"
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Archive of {where}",
        "description": f"Every event of {where} up to block {head.block.number}, the records' manifests and proofs.",
        "datePublished": date,
        "license": "Each record's manifest names the licence of its content, if its author stated one.",
        "identifier": f"eip155:{head.chain_id}:{head.registry}",
        "hasPart": parts,
    }
    descriptor = {
        "@id": CRATE,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }
    entities = [descriptor, root]
    entities += [
        {"@id": name, "@type": "File", "encodingFormat": kind, "name": name, "description": text}
        for name, (kind, text) in _FILES.items()
    ]
    entities += [{"@id": name, "@type": "Dataset", "name": name, "description": text} for name, text in folders.items()]
    return canonical({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": entities})
