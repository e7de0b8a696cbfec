"""A lab's keys, salts and choices in one encrypted archive, and back: what exists only here and can't be made again."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.private.age import decrypt, encrypt, open_with_passphrase, with_passphrase, written

PARTS = ("keys", "encryption-keys", "seals", "private", "batches", "settings.json")
"""What of the lab's folder is backed up: the store has its own copies, the index and the devnet can be made again."""
_LIMIT = 1 << 30


def back_up(home: Home, target: Path, *, recipients: Sequence[str] = (), passphrase: str | None = None) -> list[str]:
    """Write the archive: a tar file in the age format, which ``age -d FILE | tar -x`` opens as well.

    Args:
        recipients: who can open it; a key that is only in the archive itself is of no use.
    """
    files = {
        path.relative_to(home.path).as_posix(): path
        for part in PARTS
        for path in ([home.path / part] if (home.path / part).is_file() else sorted((home.path / part).rglob("*")))
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    }
    if not files:
        raise InputError(f"expected keys to back up in {home.path}, got none")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, path in files.items():
            archive.add(path, name, recursive=False)
    data = out.getvalue()
    sealed = with_passphrase(data, passphrase) if passphrase is not None else encrypt(data, recipients)
    with written(target) as file:
        file.write(sealed)
    return [*files]


def restore(home: Home, source: Path, *, identities: Sequence[Any] = (), ask: Callable[[], str]) -> list[str]:
    """Put back what `back_up` archived. Files that exist are never replaced.

    Args:
        identities: to open it with; without them it is opened by the passphrase that `ask` gives.

    Raises:
        InputError: if it can't be read, or a file of it is there already with other content: then nothing is written.
        NotVerified, KeyStoreError: if it can't be opened, or holds what no backup does.
    """
    try:
        data = source.read_bytes()
    except OSError as error:
        raise InputError(f"expected a backup in {source}: {error.strerror}") from None
    opened = decrypt(data, identities) if identities else open_with_passphrase(data, ask(), str(source))
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restoring-", dir=home.path) as scratch:
        names = _unpacked(opened, Path(scratch))
        fresh = []
        for name in names:
            here = home.path / name
            if not os.path.lexists(here):
                fresh.append(name)
            elif here.is_symlink() or not here.is_file() or here.read_bytes() != Path(scratch, name).read_bytes():
                raise InputError(
                    f"expected no other {name} in {home.path}, got one", hint="Restore into another folder with --home."
                )
        for name in fresh:
            (home.path / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            Path(scratch, name).chmod(0o600)
            os.link(Path(scratch, name), home.path / name)
    return fresh


def _unpacked(data: bytes, folder: Path) -> list[str]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            members = archive.getmembers()
            names = [member.name for member in members]
            for member in members:
                if not (member.isfile() and _is_of_a_backup(member.name) and member.size <= _LIMIT):
                    raise NotVerified(f"expected the files of a backup, got {member.name!r} in it")
            if twice := next((name for name, count in Counter(names).items() if count > 1), None):
                raise NotVerified(f"expected each file of a backup once, got {twice!r} twice")
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise NotVerified(f"expected the archive of a backup, got something else: {type(error).__name__}") from None
    return names


def _is_of_a_backup(name: str) -> bool:
    """Say whether `back_up` writes such a name: each part is plain, and the first is one of PARTS."""
    parts = name.split("/")
    plain = all(part.isprintable() and part and not part.startswith(".") and "\\" not in part for part in parts)
    return plain and parts[0] in PARTS and (len(parts) > 1) == ("." not in parts[0])
