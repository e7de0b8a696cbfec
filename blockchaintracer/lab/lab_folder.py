"""The lab's working folder: where keys, store, outbox and devnet of one lab live. Only paths, no content."""

from __future__ import annotations

import errno
import os
import shlex
from contextlib import suppress
from pathlib import Path

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.files import close_to_others, private
from blockchaintracer.lab.trusted_homes import is_listed, trust, why_not_trusted

FOLDER = ".blockchaintracer"
VARIABLE = "BLOCKCHAINTRACER_HOME"
PLACED = "placed"
_UNWRITABLE = (errno.EROFS, errno.ENOSPC, errno.EDQUOT)


class _Inside:
    """A path in a working folder: of a folder, made on first use, or of a file."""

    def __init__(self, name: str) -> None:
        folder, _, self._file = name.rpartition("/")
        self._folder = folder or "."

    def __get__(self, home: Home, owner: type) -> Path:
        return home._folder(self._folder) / self._file


class Home:
    """Paths inside one working folder; folders are made on first use, readable by their owner only.

    Args:
        path: the folder. Without it: ``$BLOCKCHAINTRACER_HOME``, else the nearest ``.blockchaintracer`` in this folder
            or above it, else the user's data folder. One that is found is used only if this user created or trusts it.

    Raises:
        InputError: if the nearest ``.blockchaintracer`` is somebody else's, or not in the user's list of homes.
    """

    store = _Inside("store/")
    """the content-addressed store"""
    keys = _Inside("keys/")
    """the encrypted signing keys"""
    encryption_keys = _Inside("encryption-keys/")
    """the keys that decrypt, each encrypted under a passphrase"""
    private = _Inside("private/")
    """private values, and the salts of what was committed to: to lose it is to lose both"""
    devnet = _Inside("devnet/")
    """state, log and process file of the embedded chain"""
    seals = _Inside("seals/")
    """what was sealed, with the salts: to lose it is to lose the seals"""
    batches = _Inside("batches/")
    """the records of the open batch, and the proofs of anchored ones"""
    witnesses = _Inside("witnesses/")
    """receipts of witnesses of time, a file for each thing that was stamped"""
    placed = _Inside(f"{PLACED}/")
    """files that a run made to be recorded, until it is"""
    checkpoints = _Inside("checkpoints/")
    """the lists of checkpoints, a file for each run that logs some"""
    environments = _Inside("environments/")
    """environments of Python that `reproduce` rebuilt; may be deleted at any time"""
    mlflow = _Inside("mlflow/")
    """what is known of MLflow runs: their salts, and which wait for their record's tags"""
    communities = _Inside("communities/")
    """the address books of communities that are trusted"""
    archives = _Inside("archives/")
    """events, blocks and keys of registries that were imported, as their archives have them"""
    deployments = _Inside("deployments/")
    """the registries that are known on each chain"""
    outbox = _Inside("outbox.sqlite")
    """the transactions that wait, and those that were sent"""
    index = _Inside("index.sqlite")
    """the index; may be deleted at any time"""
    served = _Inside("served/")
    """the indexes that `serve` answers from, of what is published only; may be deleted at any time"""
    hashes = _Inside("hashes.sqlite")
    """the digests of files that were hashed before, and where recorded files lay: those in place are found by it"""
    pinning = _Inside("pinning.json")
    """the pinning services, without their tokens"""
    settings = _Inside("settings.json")
    """the registry, group and signer that were last chosen on each chain"""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path).expanduser().resolve() if path else _default()

    def _folder(self, name: str) -> Path:
        folder = self.path / name
        try:
            self.make()
            ignored = self.path / ".gitignore"
            if not ignored.exists():
                # keys are here: whichever repository holds the folder, nothing of it is ever committed
                with suppress(FileExistsError), open(ignored, "x", opener=private) as file:
                    file.write("*\n")
            folder.mkdir(mode=0o700, exist_ok=True)
            close_to_others(folder)
        except OSError as error:
            if error.errno in _UNWRITABLE and self.path.is_dir():
                # what only reads goes on, and what writes there fails with the file that it can't write
                return folder
            raise InputError(
                f"expected a folder for the lab's files at {folder}: {error.strerror}",
                hint=f"Choose another with --home or ${VARIABLE}.",
            ) from error
        return folder

    def make(self) -> None:
        """Make the folder, which is then trusted; one that is there is closed to other users."""
        try:
            self.path.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            if self.path.is_dir() and self.path.stat().st_mode & 0o077:
                for part in (self.path, *self.path.iterdir()):
                    close_to_others(part)
        else:
            _list(self.path)


def _list(path: Path) -> None:
    # only homes of this name are found again from a working folder; without the list this one is named each time
    if path.name == FOLDER and not is_listed(path):
        with suppress(OSError):
            trust(path)


def _default() -> Path:
    if chosen := os.environ.get(VARIABLE):
        path = Path(chosen).expanduser().resolve()
        if path.is_dir():
            _list(path)
        return path
    for folder in (Path.cwd(), *Path.cwd().parents):
        candidate = folder / FOLDER
        if candidate.is_dir():
            if why := why_not_trusted(candidate):
                raise InputError(
                    f"expected a lab's folder of yours at {candidate}, which {why}; nothing in it was used",
                    hint=f"See what is in it, and trust it if it is yours: blockchaintracer home trust "
                    f"{shlex.quote(str(candidate))}. Or choose another with --home or ${VARIABLE}.",
                )
            return candidate
    import platformdirs

    return Path(platformdirs.user_data_dir("blockchaintracer"))
