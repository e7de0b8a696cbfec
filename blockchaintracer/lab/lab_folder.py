"""The lab's working folder: where keys, store, outbox and devnet of one lab live. Only paths, no content."""

from __future__ import annotations

import os
from pathlib import Path

from blockchaintracer.core.errors import InputError

FOLDER = ".blockchaintracer"
VARIABLE = "BLOCKCHAINTRACER_HOME"
PLACED = "placed"


class Home:
    """Paths inside one working folder; folders are made on first use, readable by their owner only.

    Args:
        path: the folder. Without it: ``$BLOCKCHAINTRACER_HOME``, else the nearest ``.blockchaintracer`` in this folder
            or above it that belongs to this user, else the user's data folder.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path).expanduser().resolve() if path else _default()

    @property
    def store(self) -> Path:
        """Folder of the content-addressed store."""
        return self._folder("store")

    @property
    def keys(self) -> Path:
        """Folder of the encrypted keys."""
        return self._folder("keys")

    @property
    def encryption_keys(self) -> Path:
        """Folder of the keys that decrypt, each encrypted under a passphrase."""
        return self._folder("encryption-keys")

    @property
    def private(self) -> Path:
        """Folder of private values, and of the salts of what was committed to: to lose it is to lose both."""
        return self._folder("private")

    @property
    def devnet(self) -> Path:
        """Folder of the embedded chain: its state, log and process file."""
        return self._folder("devnet")

    @property
    def seals(self) -> Path:
        """Folder of what was sealed, with the salts: to lose it is to lose the seals."""
        return self._folder("seals")

    @property
    def batches(self) -> Path:
        """Folder of the open batch's records and of the proofs of anchored ones."""
        return self._folder("batches")

    @property
    def placed(self) -> Path:
        """Folder of files that a run made to be recorded, until it is."""
        return self._folder(PLACED)

    @property
    def checkpoints(self) -> Path:
        """Folder of the lists of checkpoints, a file for each run that logs some."""
        return self._folder("checkpoints")

    @property
    def mlflow(self) -> Path:
        """Folder of what is known of MLflow runs: their salts, and which wait to be told of their record."""
        return self._folder("mlflow")

    @property
    def outbox(self) -> Path:
        """SQLite file of what is to be written to a chain, and has been."""
        return self._folder(".") / "outbox.sqlite"

    @property
    def index(self) -> Path:
        """SQLite file of the index; may be deleted at any time."""
        return self._folder(".") / "index.sqlite"

    @property
    def hashes(self) -> Path:
        """SQLite file of what files were hashed to before; may be deleted at any time."""
        return self._folder(".") / "hashes.sqlite"

    @property
    def pinning(self) -> Path:
        """JSON file of the pinning services, without their tokens."""
        return self._folder(".") / "pinning.json"

    @property
    def settings(self) -> Path:
        """JSON file of the registry, group and signer that were last chosen on each chain."""
        return self._folder(".") / "settings.json"

    def _folder(self, name: str) -> Path:
        folder = self.path / name
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            ignored = self.path / ".gitignore"
            if not ignored.exists():
                # keys live here: in whatever repository the folder lies, nothing of it is ever committed
                ignored.write_text("*\n")
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"expected a folder for the lab's files at {folder}: {error.strerror}",
                hint=f"Choose another with --home or ${VARIABLE}.",
            ) from error
        return folder


def _default() -> Path:
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser().resolve()
    for folder in (Path.cwd(), *Path.cwd().parents):
        candidate = folder / FOLDER
        # another user's folder would bring that user's settings, as git's safe.directory explains
        if candidate.is_dir() and candidate.stat().st_uid == os.getuid():
            return candidate
    import platformdirs

    return Path(platformdirs.user_data_dir("blockchaintracer"))
