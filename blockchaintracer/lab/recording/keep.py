"""How files come into the lab's store: one choice, `Keeping`, and one way in, `keep`, which holds to it.

What this lab ever encrypted is refused in the open unless a person says so: its digest would be public from then on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import DEFAULT_PROFILE, NO_CID, FileDigest, FolderDigest, Progress, digest_bytes
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import LISTING, Artifact
from blockchaintracer.lab.capture.git import GitState, held_by_git
from blockchaintracer.lab.files import bytes_in
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.plain_text import named
from blockchaintracer.lab.private.encrypt import (
    CONTENT_NAME,
    EncryptionNote,
    encrypted_digests,
    hidden_files,
    keep_encrypted,
    recipients_of,
)
from blockchaintracer.lab.recording.run_document import RunDocument
from blockchaintracer.lab.store.hashcache import digest_of
from blockchaintracer.lab.store.store import Store


@dataclass(frozen=True)
class Keeping:
    """How files are kept: encrypted, or in the open.

    Args:
        recipients: of every file and folder, as `recipients_of` gives them; none to keep them in the open.
        in_the_open: whether what this lab encrypted before may go into the open now.
        by_path: recipients of single files and folders, by their resolved path; they come before `recipients`.
        in_place: whether what is kept in the open stays where it lies, without a copy in the store.
        listed: whether files are kept for the listing of a folder, which names no CID.
    """

    recipients: Sequence[str] = ()
    in_the_open: bool = False
    by_path: Mapping[Path, Sequence[str]] = field(default_factory=dict)
    in_place: bool = False
    listed: bool = False

    def recipients_for(self, path: Path) -> Sequence[str]:
        """Return to whom a file or folder is encrypted; to nobody if it's kept in the open."""
        return self.by_path.get(path.resolve()) or self.recipients


ASK_IN_PLACE = 10 * 10**9
"""Bytes above which a person is asked whether files may stay where they lie."""

OPEN = Keeping()
"""In the open, but what this lab encrypted before is refused."""


@dataclass(frozen=True)
class Kept:
    """A file or folder that is in the store.

    Args:
        subject_type: ``file``, ``folder``, or ``commitment`` of what is encrypted.
        subject: its digest or the commitment, 64 hex digits.
    """

    subject_type: str
    subject: str
    content: FileDigest | FolderDigest | None = None
    note: EncryptionNote | None = None

    @property
    def stored(self) -> FileDigest:
        """The object in the store that stands for it in the open: the file, or the listing of the folder."""
        assert self.content is not None  # noqa: S101 -- asked of what is in the open
        return digest_bytes(self.content.listing) if isinstance(self.content, FolderDigest) else self.content

    def named(self, name: str) -> dict[str, Any]:
        """Return ``artifact``, and of what is encrypted ``encrypted``, of a manifest that names it so."""
        if self.note:
            return self.note.called(name)
        path = f"{name}/{LISTING}" if self.subject_type == "folder" else name
        return {"artifact": Artifact.of(path, self.stored)}

    def about(self) -> dict[str, Any]:
        """Return what a manifest whose subject it is says of it. The name of what is encrypted is no part of it."""
        return {"subject_type": self.subject_type, **(self.note.called(CONTENT_NAME) if self.note else {})}


def keep(
    lab: Lab, path: Path, keeping: Keeping = OPEN, *, exclude: Collection[str] = (), progress: Progress | None = None
) -> Kept:
    """Put a file or folder into the lab's store as `keeping` says."""
    if recipients := keeping.recipients_for(path):
        note = keep_encrypted(lab, path, recipients, exclude=exclude, progress=progress)
        return Kept("commitment", note.encrypted.commitment, note=note)
    if not keeping.in_the_open and encrypted_digests(lab.home):
        content = digest_of(lab.hashes, path, exclude)
        files = content.files if isinstance(content, FolderDigest) else ()
        # an empty file says nothing
        require_never_encrypted(lab, path, content.sha256, (file.sha256 for file in files if file.size))
    if path.is_dir():
        folder = lab.store.put_folder(path, progress, exclude, in_place=keeping.in_place)
        kept = Kept("folder", folder.sha256, folder)
    else:
        profile = NO_CID if keeping.listed else DEFAULT_PROFILE
        file = lab.store.put_file(path, progress, in_place=keeping.in_place, profile=profile)
        kept = Kept("file", file.sha256, file)
    lab.hashes.note_place(path, kept.subject)
    return kept


def stays_in_place(lab: Lab, given: bool | None, paths: Sequence[Path], keeping: Keeping = OPEN) -> bool:
    """Decide whether files stay where they lie, without a copy in the store.

    Args:
        given: what the person said; None for the lab's setting ``inPlaceAbove``, a number of bytes or false. Without it
            a person is asked once above `ASK_IN_PLACE`.
    """
    if given and keeping.recipients:
        raise InputError("expected --in-place or --encrypt-to, got both: what is encrypted is kept in the store")
    if given is not None or keeping.recipients or not paths:
        return bool(given)
    above = lab.settings().get("inPlaceAbove")
    size = bytes_in(paths) if above is not False and (above is not None or lab.confirm) else 0
    if above is None and lab.confirm and size > ASK_IN_PLACE:
        question = f"{size / 1e9:.0f} GB: leave files of this size where they lie, without a copy in the lab's store?"
        above = ASK_IN_PLACE if lab.confirm(question + " They must stay there, unchanged.") else False
        with lab.changed_settings() as settings:
            settings["inPlaceAbove"] = above
    return isinstance(above, int) and above is not False and size > above


def keep_attachment(store: Store, name: str, data: bytes) -> Artifact:
    """Put what the package itself made into the store, in the open; how a manifest names it."""
    store.put_bytes(data)
    return Artifact.of(name, digest_bytes(data))


def hidden_content(lab: Lab) -> dict[str, int]:
    """Return digest and size of each file that is not to be shown: hidden once, and never recorded in the open."""
    hidden = hidden_files(lab.home)
    in_the_open = _recorded(lab, hidden) if hidden else ()
    return {digest: size for digest, size in hidden.items() if digest not in in_the_open}


def _recorded(lab: Lab, digests: Iterable[str]) -> set[str]:
    return {entry.write.key.subject for entry in lab.outbox.entries_of(lab.domain, digests)}


def require_never_encrypted(lab: Lab, path: Path, digest: str, files: Iterable[str] = ()) -> None:
    """Refuse what this lab has encrypted, or a folder with such a file, unless the lab recorded it in the open, too."""
    encrypted = encrypted_digests(lab.home) & {digest, *files}
    if not encrypted:
        return
    in_the_open = _recorded(lab, {digest, *encrypted})
    if digest not in in_the_open and encrypted - in_the_open:
        raise InputError(
            f"{path} was recorded encrypted before, and now it would be in the open",
            hint="Encrypt it again (--encrypt-to, encrypt_to=), or publish it for good by `record --in-the-open`.",
        )


def run_keeping(
    lab: Lab,
    document: RunDocument,
    base: Path,
    git: GitState | None,
    keeping: Keeping = OPEN,
    also: Iterable[Path] = (),
) -> Keeping:
    """Choose how the files of a run are kept, before any of them is: as its document says, and else as `keeping` says.

    Args:
        also: further paths that are to be encrypted, and so must not be part of the code.
    """
    recipients = {path: recipients_of(lab.home, names) for path, names in document.encrypted().items()}
    by_path = {**keeping.by_path, **{(base / path).resolve(): names for path, names in recipients.items()}}
    require_apart(git, [*by_path, *also])
    return replace(keeping, by_path=by_path)


def require_apart(git: GitState | None, paths: Iterable[Path]) -> None:
    """Refuse to encrypt what the recorded code holds in the open: the commit and the difference are published."""
    if git and (held := held_by_git(git, paths)):
        raise InputError(
            f"expected files outside of the recorded code to encrypt, got {named(held)}: "
            "git has the content in the open",
            hint="Take it out of the repository (`git rm --cached`, .gitignore) and commit, or keep it elsewhere.",
        )
