"""Write a file or folder of IPFS to the disk: whole and verified, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from blockchaintracer.core.digest import Progress, check_listed
from blockchaintracer.core.errors import NotVerified, StoreError
from blockchaintracer.lab.files import placing
from blockchaintracer.lab.store.ipfs.blocks import Cid, DagNode
from blockchaintracer.lab.store.ipfs.gateway import Address, Gateways

MAX_ENTRIES = 1_000_000
"""Files and folders of the largest tree: a small one can name itself without end."""

_MAX_DEPTH = 64


def download(
    address: Address, target: Path, *, limit: int, gateways: Gateways | None = None, progress: Progress | None = None
) -> int:
    """Fetch a file or folder to a new path; return the bytes of its content.

    Args:
        gateways: asked instead of those of the address.

    Raises:
        InputError: if there is something at `target`, or a name in the folder can't be kept on every system.
        NotVerified: if gateways gave something else, or the tree contradicts itself or is larger than `limit`.
        StoreError: if no gateway has it, or it can't be written.
        ChainUnavailable: if a gateway that might have it is unavailable.
    """
    try:
        with placing(target) as partial:
            gateways = gateways or Gateways(address.gateways)
            entry = gateways.resolve(address.cid, address.names)
            if entry is None:
                raise StoreError(f"expected {address}, but {address.absent}")
            files = _files(gateways, *entry)
            total = sum(size for _, _, size in files)
            if total > limit:
                raise NotVerified(f"expected at most {limit} bytes at {address}, it has {total}")
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
    except OSError as error:
        raise StoreError(f"can't write {target}: {error.strerror}", hint="Nothing half written was kept.") from error
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
            path = prefix + link.name
            child = gateways.node(link.cid)
            if child.kind == "folder":
                waiting.append((path + "/", child))
            else:
                # the root block of a small file is the file: held, it would be all of them at once
                files.append((path, link.cid, child.size))
    check_listed([path for path, _, _ in files])
    return files
