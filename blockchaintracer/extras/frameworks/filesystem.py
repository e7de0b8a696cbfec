"""File systems of records and of IPFS, for every library that opens files by fsspec: pandas, Polars, Arrow, xarray.

>>> import pandas
>>> pandas.read_csv("record://ID")                                          # doctest: +SKIP
>>> pandas.read_csv("record://ID/train/part-1.csv")                         # doctest: +SKIP
>>> pandas.read_parquet("ipfs://CID/data.parquet")                          # doctest: +SKIP

Every byte is verified before it is given: of a record the whole file is hashed first, of IPFS each block. Both are
read-only.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from typing_extensions import override

from blockchaintracer.core.digest import LISTING_LIMIT, check_path, parse_listing
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.manifest import MAX_BYTES, RunPredicate, is_listing
from blockchaintracer.core.record import SubjectType
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.lab.chosen_network import choose_network
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.lookup import read_manifest, required_record
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.store.ipfs.blocks import Cid, DagNode
from blockchaintracer.lab.store.ipfs.gateway import Address, Gateways
from blockchaintracer.lab.store.store import REPAIR

if TYPE_CHECKING:
    AbstractFileSystem: Any = object
    AbstractBufferedFile: Any = object
else:
    try:
        from fsspec.spec import AbstractBufferedFile, AbstractFileSystem
    except ImportError:
        # every module can be imported without extras: making a file system names the missing one
        AbstractFileSystem = AbstractBufferedFile = object


class _Tree(AbstractFileSystem):  # type: ignore[misc]
    """Base of both: read-only names below a root, which `_ls` and `_info` tell."""

    cachable = False

    def __init__(self, **options: Any) -> None:
        require("fsspec", "fsspec")
        super().__init__(**options)

    @override
    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        entries = self._ls(self._strip_protocol(path))
        return entries if detail else sorted(entry["name"] for entry in entries)

    @override
    def info(self, path: str, **options: Any) -> Any:
        return self._info(self._strip_protocol(path))


class RecordFileSystem(_Tree):
    """``record://ID`` is a recorded file; ``record://ID/path`` a file in a recorded folder, or an output of a run.

    The chain says what was recorded. The bytes come from the lab's store, or are fetched by digest from `sources`.

    Args:
        home, rpc, registry: of the lab and its chain, as `MLTracer` takes.
        chain_id: the chain that a node at `rpc` must be of, where the lab has not written to it.
        sources: where the content was published, as `Store.fetch` takes.
    """

    protocol = ("record", "blockchaintracer")

    def __init__(
        self,
        home: str | os.PathLike[str] | None = None,
        rpc: str | None = None,
        registry: str | None = None,
        chain_id: int | None = None,
        sources: str | Sequence[str] = (),
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._lab = Lab(Home(home), rpc, registry_address=registry, named_chain=chain_id, only_known=True)
        choose_network(self._lab)
        self._sources = (sources,) if isinstance(sources, str) else tuple(sources)
        self._known: dict[str, dict[str, str]] = {}

    def _files(self, record_id: str) -> dict[str, str]:
        """Return SHA-256 by path of a record's files; a recorded file has the path ``""``."""
        record_id = self._lab.parse_id(record_id)
        if record_id not in self._known:
            record = required_record(self._lab, record_id)
            self._lab.store.fetch(record.key.manifest, self._sources, MAX_BYTES)
            manifest = read_manifest(self._lab.store, record)
            if isinstance(manifest.predicate, RunPredicate):
                self._known[record_id] = self._outputs(manifest.predicate)
            else:
                self._known[record_id] = self._subject(record)
        return self._known[record_id]

    def _subject(self, record: RecordView) -> dict[str, str]:
        if record.key.subject_type == SubjectType.FILE:
            return {"": record.key.subject}
        if record.key.subject_type == SubjectType.FOLDER:
            return self._listed(record.key.subject)
        raise InputError(
            f"expected a record of a file or folder, {record.id} commits to something that it does not tell",
            hint="Who has the content can show it: see `blockchaintracer disclose`.",
        )

    def _outputs(self, run: RunPredicate) -> dict[str, str]:
        files: dict[str, str] = {}
        for output in run.outputs:
            path, digest = check_path(output.artifact.path), output.artifact.sha256
            folder = path.rpartition("/")[0]
            if is_listing(path):
                files |= {f"{folder}/{entry}": listed for entry, listed in self._listed(digest).items()}
            else:
                files[path] = digest
        return files

    def _listed(self, listing: str) -> dict[str, str]:
        self._lab.store.fetch(listing, self._sources, LISTING_LIMIT)
        return dict(parse_listing(self._lab.store.get_bytes(listing, LISTING_LIMIT)))

    def _split(self, path: str) -> tuple[str, str, dict[str, str]]:
        record_id, _, inner = path.strip("/").partition("/")
        return record_id, inner, self._files(record_id)

    def _ls(self, path: str) -> list[dict[str, Any]]:
        record_id, inner, files = self._split(path)
        if inner in files:
            return [self._info(path)]
        below = f"{inner}/" if inner else ""
        entries: dict[str, dict[str, Any]] = {}
        for name, digest in files.items():
            if name.startswith(below):
                first, deeper, _ = name.removeprefix(below).partition("/")
                entry = f"{record_id}/{below}{first}"
                entries[entry] = _entry(entry, None if deeper else self._size(digest))
        if not entries:
            raise FileNotFoundError(f"there is no {inner!r} in the record {record_id}")
        return list(entries.values())

    def _info(self, path: str) -> dict[str, Any]:
        _, inner, files = self._split(path)
        if inner in files:
            return _entry(path, self._size(files[inner]))
        if any(name.startswith(f"{inner}/" if inner else "") for name in files):
            return _entry(path, None)
        raise FileNotFoundError(f"there is no {inner!r} in the record {path}")

    def _stored(self, digest: str) -> Path:
        store = self._lab.store
        if not store.has(digest):
            store.fetch(digest, self._sources)
        return store.where(digest)

    def _size(self, digest: str) -> int:
        return self._stored(digest).stat().st_size

    def _open(self, path: str, mode: str = "rb", **options: Any) -> IO[bytes]:
        _require_reading(mode)
        _, inner, files = self._split(path)
        if inner not in files:
            raise FileNotFoundError(f"there is no file {inner!r} in the record {path}")
        digest = files[inner]
        file = self._stored(digest).open("rb")
        try:
            # hash through the open file that is read later: a file put in its place is not read
            actual = hashlib.file_digest(file, "sha256").hexdigest()
            if actual != digest:
                raise NotVerified(
                    f"expected {path} to have the SHA-256 {digest} that was recorded, got {actual}",
                    hint=f"Nothing of it was read. {REPAIR}",
                )
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file


class IpfsFileSystem(_Tree):
    """``ipfs://CID`` and ``ipfs://CID/path`` from any gateways. Each block is verified; parts are read by themselves.

    Args:
        gateways: addresses, asked in this order; default: those of `GATEWAYS_VARIABLE`.
    """

    protocol = "ipfs"

    def __init__(self, gateways: str | Sequence[str] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._gateways = Gateways([gateways] if isinstance(gateways, str) else gateways)

    def _find(self, path: str) -> tuple[Cid, DagNode]:
        address = Address.parse(f"ipfs://{path.strip('/')}")
        assert address  # noqa: S101 -- it has the scheme
        node = self._gateways.resolve(address.cid, address.names)
        if node is None:
            raise FileNotFoundError(address.absent)
        return node

    def _ls(self, path: str) -> list[dict[str, Any]]:
        _, node = self._find(path)
        if node.kind == "file":
            return [_entry(path, node.size)]
        inner = [(f"{path}/{link.name}", self._gateways.node(link.cid)) for link in node.links]
        return [_entry(name, child.size if child.kind == "file" else None) for name, child in inner]

    def _info(self, path: str) -> dict[str, Any]:
        _, node = self._find(path)
        return _entry(path, node.size if node.kind == "file" else None)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        _require_reading(mode)
        cid, node = self._find(path)
        if node.kind != "file":
            raise IsADirectoryError(f"{path} is a folder")
        return _IpfsFile(self, path, self._gateways, cid, node, options)


class _IpfsFile(AbstractBufferedFile):  # type: ignore[misc]
    def __init__(
        self, fs: IpfsFileSystem, path: str, gateways: Gateways, cid: Cid, node: DagNode, options: dict[str, Any]
    ) -> None:
        kept = {name: options[name] for name in ("block_size", "cache_type", "cache_options") if options.get(name)}
        super().__init__(fs, path, "rb", size=node.size, **kept)
        self._gateways, self._cid, self._node = gateways, cid, node

    def _fetch_range(self, start: int, end: int) -> bytes:
        return b"".join(self._gateways.read_range(self._cid, self._node, start, end))


def _require_reading(mode: str) -> None:
    if mode != "rb":
        raise InputError(
            f"expected to read, got the mode {mode!r}: what was recorded can't be changed, and what has a CID neither"
        )


def _entry(name: str, size: int | None) -> dict[str, Any]:
    return {"name": name, "size": size or 0, "type": "directory" if size is None else "file"}
