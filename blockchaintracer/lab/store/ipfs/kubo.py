"""A node that speaks Kubo's RPC (docs.ipfs.tech/reference/kubo/rpc): what it's given must get the CID computed here."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from blockchaintracer.core.digest import DEFAULT_PROFILE, Progress, profile_named
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.networks import redact_url
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.lab.store.ipfs.blocks import Cid
from blockchaintracer.lab.store.ipfs.car import car
from blockchaintracer.lab.store.ipfs.dag import Tree

RPC_VARIABLE = "BLOCKCHAINTRACER_IPFS_RPC"
"""Environment variable: address of the node's RPC, as ``http://127.0.0.1:5001``, which holds if it's not said."""

AUTHORIZATION_VARIABLE = "BLOCKCHAINTRACER_IPFS_AUTHORIZATION"
"""Environment variable: what the RPC wants in the header ``Authorization`` (Kubo's ``API.Authorizations``)."""

_SECONDS = 600
_ANSWER_LIMIT = 16 << 20
_READ = 1 << 20


class Kubo:
    """The RPC of a node."""

    def __init__(self, url: str | None = None) -> None:
        self._url = (url or os.environ.get(RPC_VARIABLE) or "http://127.0.0.1:5001").rstrip("/")
        if not self._url.startswith(("http://", "https://")):
            raise InputError(
                f"expected the http(s) address of a node's RPC, got {redact_url(self._url)}",
                hint=f"Set ${RPC_VARIABLE}, as http://127.0.0.1:5001.",
            )
        self.name = redact_url(self._url)

    def version(self) -> str:
        """The node's version."""
        return str(self._call("version")[0].get("Version", ""))

    def add(self, path: Path, profile: str = DEFAULT_PROFILE, progress: Progress | None = None) -> Cid:
        """Gives the node the bytes of a file, which it cuts as the profile says, and pins."""
        expected = Tree.of(path, profile).root()
        chosen = profile_named(profile)
        options = {
            "cid-version": chosen.version,
            "raw-leaves": str(chosen.raw_leaves).lower(),
            "chunker": f"size-{chosen.chunk}",
            # older nodes don't know this option, have 174, and agree up to that many chunks
            "max-file-links": chosen.width,
            "pin": "true",
            "quieter": "true",
        }
        answers = self._call("add", _file_part(path, progress), **options)
        got = str(answers[-1].get("Hash", "nothing")) if answers else "nothing"
        return self._same(expected, got, "Send it as blocks: then the node can't cut it otherwise.")

    def send(self, tree: Tree, progress: Progress | None = None) -> Cid:
        """Gives the node a file or folder as blocks (``dag/import``), and has it pinned."""
        expected = tree.root()
        pieces = car(expected, tree.blocks(expected, progress))
        answers = self._call(
            "dag/import", _part("tree.car", "application/vnd.ipld.car", pieces), **{"pin-roots": "true"}
        )
        roots = [answer["Root"] for answer in answers if isinstance(answer.get("Root"), dict)]
        if failed := [str(root["PinErrorMsg"]) for root in roots if root.get("PinErrorMsg")]:
            raise StoreError(f"the node {self.name} took {expected} but could not pin it: {failed[0][:200]}")
        named = [str(root.get("Cid", {}).get("/", "")) for root in roots]
        return self._same(expected, named[0] if len(named) == 1 else f"{len(named)} roots", None)

    def is_pinned(self, cid: Cid) -> bool:
        """Whether the node keeps everything below a CID."""
        try:
            answers = self._call("pin/ls", arg=cid, type="recursive")
        except StoreError as error:
            if "not pinned" in error.message:
                return False
            raise
        return any(str(cid) in (answer.get("Keys") or {}) for answer in answers)

    def _same(self, expected: Cid, got: str, hint: str | None) -> Cid:
        if got != str(expected):
            raise NotVerified(f"expected the node {self.name} to name {expected}, got {got[:120]}", hint=hint)
        return expected

    def _call(
        self, command: str, body: tuple[str, Iterator[bytes]] | None = None, **options: Any
    ) -> list[dict[str, Any]]:
        from blockchaintracer.core.fetch import FetchError, fetch

        headers = {"Content-Type": body[0]} if body else {}
        if authorization := os.environ.get(AUTHORIZATION_VARIABLE):
            headers["Authorization"] = authorization
        try:
            answer = fetch(
                f"{self._url}/api/v0/{command}",
                method="POST",
                params={name: str(value) for name, value in options.items()},
                data=body[1] if body else None,
                headers=headers,
                limit=_ANSWER_LIMIT,
                seconds=_SECONDS,
            )
            data, status = answer.body, answer.status
        except FetchError as error:
            if error.too_large:
                raise StoreError(f"the node {self.name} answers `{command}` without end") from None
            raise ChainUnavailable(
                f"the IPFS node {self.name} {error}", hint=f"Start one (`ipfs daemon`), or set ${RPC_VARIABLE}."
            ) from None
        try:
            answers = [parse_json(line, command) for line in data.splitlines() if line.strip()]
            if not all(isinstance(entry, dict) for entry in answers):
                raise ValueError("not an object")
        except (InputError, ValueError):
            answers = [{"Message": data[:200].decode(errors="replace")}] if status != 200 else []
        failed = next(
            (str(entry.get("Message", entry)) for entry in answers if entry.get("Type") == "error" or status != 200),
            None,
        )
        if status != 200 or failed:
            raise StoreError(
                f"the node {self.name} refused `{command}` ({status}): {(failed or 'no reason given')[:300]}",
                hint=f"A node with a password wants ${AUTHORIZATION_VARIABLE}." if status in (401, 403) else None,
            )
        return answers


def _file_part(path: Path, progress: Progress | None) -> tuple[str, Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        with path.open("rb") as file:
            while block := file.read(_READ):
                yield block
                if progress:
                    progress(len(block))

    return _part(path.name, "application/octet-stream", pieces())


def _part(name: str, kind: str, pieces: Iterator[bytes]) -> tuple[str, Iterator[bytes]]:
    """A multipart body of one file, sent as it's read."""
    boundary = secrets.token_hex(16)

    def body() -> Iterator[bytes]:
        disposition = f'form-data; name="file"; filename="{quote(name, safe="")}"'
        yield f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: {kind}\r\n\r\n".encode()
        # an empty piece would end a chunked body
        yield from (piece for piece in pieces if piece)
        yield f"\r\n--{boundary}--\r\n".encode()

    return f"multipart/form-data; boundary={boundary}", body()
