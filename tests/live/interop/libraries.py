"""Other people's libraries, asked in a Node process: viem and OpenZeppelin's merkle-tree, locked beside this file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.model.eip712 import Key
from tools import npm

HERE = Path(__file__).resolve().parent


def install() -> None:
    """Installs the packages as they are locked, unless they are installed already."""
    npm.install(HERE)


def ask(*requests: dict[str, Any]) -> list[Any]:
    """What the libraries answer to each request, in order. Bytes are given as such and come back as 0x and hex."""
    request = json.dumps(requests, default=lambda raw: "0x" + raw.hex())
    command = [npm.NODE, HERE / "libraries.mjs"]
    answer = subprocess.run(command, input=request, cwd=HERE, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return list(json.loads(answer.stdout))


def message(key: Key) -> dict[str, Any]:
    """A record's key as an application writes it down."""
    group, author, subject_type, subject, kind, manifest, parents = key
    links = [{"parent": parent, "relation": relation} for parent, relation in parents]
    return {
        "group": group,
        "author": author,
        "subjectType": subject_type,
        "subject": subject,
        "kind": kind,
        "manifest": manifest,
        "parents": links,
    }


def raw(text: str) -> bytes:
    """The bytes of 0x and hex."""
    return bytes.fromhex(text.removeprefix("0x"))
