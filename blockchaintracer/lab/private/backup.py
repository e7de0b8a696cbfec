"""A lab's keys, salts and choices in one encrypted archive, and back: what exists only here and can't be made again."""

from __future__ import annotations

import io
import os
import re
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import canonical, parse_json
from blockchaintracer.lab.formats import BACKUP
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.private.age import decrypt, encrypt, open_with_passphrase, with_passphrase, written
from blockchaintracer.lab.unpack import unpack_tar

_HEAD = "backup.json"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_BATCHES = r"batches/[0-9]{1,20}-0x[0-9A-Fa-f]{40}-[0-9]{1,10}-0x[0-9A-Fa-f]{40}"
_ID = "(0x)?[0-9a-f]{64}"
_KNOWN = re.compile(
    rf"{_HEAD}|keys/{_NAME}\.(json|passphrase)|encryption-keys/{_NAME}\.(age|pub|passphrase)|seals/{_ID}\.json"
    rf"|private/{_ID}(\.[0-9a-f]{{64}}\.content)?\.json|{_BATCHES}/(open|{_ID})/{_ID}\.json"
    r"|mlflow/salts/[A-Za-z0-9_:-]{1,100}|settings\.json"
)
_PLACES = ("keys/*", "encryption-keys/*", "seals/*", "private/*", "mlflow/salts/*", "batches/*/*/*", "settings.json")
"""What of the lab's folder is backed up: the store has its own copies, the index and the devnet can be made again."""
_LIMIT = 1 << 30


def back_up(home: Home, target: Path, *, recipients: Sequence[str] = (), passphrase: str | None = None) -> list[str]:
    """Write the archive: a tar file in the age format, which ``age -d FILE | tar -x`` opens as well. A recipient whose
    key is only in the archive itself can't open it."""
    paths = {path.relative_to(home.path).as_posix(): path for part in _PLACES for path in sorted(home.path.glob(part))}
    files = {name: path for name, path in paths.items() if _KNOWN.fullmatch(name) and _is_plain(path)}
    if not files:
        raise InputError(f"expected keys to back up in {home.path}, got none")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        head = tarfile.TarInfo(_HEAD)
        head.size = len(content := canonical(BACKUP.header()))
        archive.addfile(head, io.BytesIO(content))
        for name, path in files.items():
            archive.add(path, name, recursive=False)
    data = out.getvalue()
    sealed = with_passphrase(data, passphrase) if passphrase is not None else encrypt(data, recipients)
    if len(sealed) > _LIMIT:
        raise InputError(f"expected at most {_LIMIT:,} bytes in a backup, got {len(sealed):,}")
    with written(target) as file:
        file.write(sealed)
    return [*files]


def restore(home: Home, source: Path, *, identities: Sequence[Any] = (), ask: Callable[[], str]) -> list[str]:
    """Put back what `back_up` archived. Files that exist are never replaced.

    Args:
        identities: to open it with; without them it is opened by the passphrase that `ask` gives.

    Raises:
        InputError: if it can't be read or written, or a file of it is there already with other content.
        NotVerified, KeyStoreError: if it can't be opened, or holds what no backup does. Nothing is kept then.
    """
    data = read_limited(source, _LIMIT, "a backup")
    opened = decrypt(data, identities) if identities else open_with_passphrase(data, ask(), str(source))
    home.make()
    with tempfile.TemporaryDirectory(prefix=".restoring-", dir=home.path) as folder:
        scratch = Path(folder)
        try:
            names = unpack_tar(io.BytesIO(opened), scratch, "a backup", limit=_LIMIT)
            if _HEAD not in names:
                raise NotVerified(f"expected {_HEAD} in a backup, got none")
            # before another file is looked at: a later version may have files of other names
            BACKUP.check_header(parse_json((scratch / _HEAD).read_bytes(), _HEAD), str(source))
            for file in names:
                if not _KNOWN.fullmatch(file):
                    raise NotVerified(f"expected the files of a backup, got {file!r} in it")
                _require_whole(scratch / file, file)
            return _moved(home, scratch, [name for name in names if name != _HEAD])
        except OSError as error:
            raise InputError(f"{source} can't be restored to {home.path}: {error.strerror}; nothing was") from None


def _moved(home: Home, scratch: Path, names: list[str]) -> list[str]:
    """Give the files their names in the lab: all of them, or none if one can't be."""
    fresh = []
    for name in names:
        here = home.path / name
        if not os.path.lexists(here):
            fresh.append(name)
        elif not _is_plain(here) or here.read_bytes() != (scratch / name).read_bytes():
            raise InputError(
                f"expected no other {name} in {home.path}, got one", hint="Restore into another folder with --home."
            )
    done: list[Path] = []
    try:
        for name in fresh:
            here = home.path / name
            for folder in reversed(here.parents[: name.count("/")]):
                if not os.path.lexists(folder):
                    folder.mkdir(mode=0o700)
                    done.append(folder)
            # a link fails if a file appeared meanwhile; renaming would replace that file
            os.link(scratch / name, here)
            done.append(here)
        os.sync()
    except BaseException:
        for made in reversed(done):
            with suppress(OSError):
                made.rmdir() if made.is_dir() else made.unlink()
        raise
    return fresh


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _require_whole(file: Path, name: str) -> None:
    with suppress(InputError):
        if name.endswith(".json") and isinstance(parse_json(file.read_bytes(), name), dict):
            return
    if file.suffix == ".json" or not file.stat().st_size:
        raise NotVerified(f"expected a whole file {name} in a backup, got something else")
