"""Writes a file or folder of IPFS to the disk: whole and verified, or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from blockchaintracer.core.digest import Progress, check_distinct, check_path
from blockchaintracer.core.errors import InputError, NotVerified, StoreError
from blockchaintracer.lab.store.ipfs.blocks import Cid, DagNode
from blockchaintracer.lab.store.ipfs.gateway import Address, Gateways

MAX_ENTRIES = 1_000_000
"""Files and folders of the largest tree: a small one can name itself without end."""

_MAX_DEPTH = 64


def download(
    address: Address, target: Path, *, limit: int, gateways: Gateways | None = None, progress: Progress | None = None
) -> int:
    """Fetches a file or folder; the bytes of its content.

    Args:
        target: a path where nothing is yet.
        limit: bytes to take at most.
        gateways: who is asked instead of those of the address.
        progress: told of the bytes written.

    Raises:
        InputError: if there is something at `target`, or a name in the folder can't be kept on every system.
        NotVerified: if gateways gave something else, or the tree contradicts itself or is larger than `limit`.
        StoreError: if nobody has it, or the disk can't take it.
        ChainUnavailable: if who might have it can't be reached.
    """
    if os.path.lexists(target):
        raise InputError(f"expected nothing at {target} yet", hint="Choose another name, or remove it.")
    gateways = gateways or Gateways(address.gateways)
    found = gateways.resolve(address.cid, address.names)
    if found is None:
        raise StoreError(f"expected {address}, but there is no such entry below {address.cid}")
    files = _files(gateways, *found)
    total = sum(size for _, _, size in files)
    if total > limit:
        raise NotVerified(f"expected at most {limit} bytes at {address}, it has {total}")
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        for path, cid, _ in files:
            place = partial / path if path else partial
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                for block in gateways.read(cid, gateways.node(cid)):
                    file.write(block)
                    if progress:
                        progress(len(block))
                file.flush()
                os.fsync(file.fileno())
        if not files:
            partial.mkdir(parents=True)
        partial.rename(target)
    except OSError as error:
        raise StoreError(f"can't write {target}: {error.strerror}", hint="Nothing half written was kept.") from error
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)
    return total


def _files(gateways: Gateways, cid: Cid, node: DagNode) -> list[tuple[str, Cid, int]]:
    """All files with their paths; of a single one the path is empty."""
    if node.kind == "file":
        return [("", cid, node.size)]
    files, entries = [], 0
    waiting = [("", node)]
    while waiting:
        prefix, folder = waiting.pop()
        entries += len(folder.links)
        if entries > MAX_ENTRIES or prefix.count("/") > _MAX_DEPTH:
            raise NotVerified(f"expected a folder of at most {MAX_ENTRIES} entries, {_MAX_DEPTH} deep, {cid} has more")
        for link in folder.links:
            if "/" in link.name:
                raise NotVerified(f"expected names without '/' in the folder {cid}, got {link.name!r}")
            path = check_path(prefix + link.name)
            child = gateways.node(link.cid)
            if child.kind == "folder":
                waiting.append((path + "/", child))
            else:
                # the root block of a small file is the file: held, it would be all of them at once
                files.append((path, link.cid, child.size))
    check_distinct(path for path, _, _ in files)
    return files
