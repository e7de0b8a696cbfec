"""Files and folders that are recorded encrypted: what is committed to, what is encrypted, and the way back.

A record of one holds three things: the content encrypted with age, so that its copies can be checked by anyone; a
salted commitment to the content, so that its author can't claim another later; and the opening of that commitment,
encrypted to the same recipients. The commitment is the SHA-256 of the opening, and the opening names whom it binds.

>>> from blockchaintracer.lab.private.field_tree import Context, new_salt
>>> from blockchaintracer.lab.private.sealed_content import ContentOpening
>>> context = Context("31337", "0x" + "11" * 20, 1, "0x" + "22" * 20)
>>> opening = ContentOpening(context, "file", "ab" * 32, "survey.csv", new_salt())
>>> ContentOpening.from_bytes(opening.to_bytes()) == opening
True
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as hidden
from pathlib import Path
from typing import Any, BinaryIO, Literal

from blockchaintracer.core.digest import Progress, digest_folder, format_listing, list_folder, open_regular, read_blocks
from blockchaintracer.core.errors import BlockchainTracerError, InputError, NotVerified, StoreError
from blockchaintracer.core.plain_json import canonical, parse_json
from blockchaintracer.lab.files import placing
from blockchaintracer.lab.formats import PRIVATE_CONTENT
from blockchaintracer.lab.private.age import decrypt_stream, encrypt_stream, written
from blockchaintracer.lab.private.field_tree import SALT_BYTES, Context
from blockchaintracer.lab.unpack import unpack_tar

OPENING_LIMIT = 1 << 16
"""Bytes of the largest opening that is read."""

SubjectText = Literal["file", "folder"]
_HEX = set("0123456789abcdef")


@dataclass(frozen=True)
class ContentOpening:
    """What opens the commitment to an encrypted file or folder.

    Args:
        sha256: what a record of it in the open would have as its subject, 64 hex digits.
        salt: 32 random bytes, 64 hex digits.
    """

    context: Context
    subject_type: SubjectText
    sha256: str
    name: str
    salt: str = hidden(repr=False)

    def to_bytes(self) -> bytes:
        """Return its RFC 8785 bytes: what is hashed, and what is encrypted."""
        return canonical(
            {
                "type": str(PRIVATE_CONTENT),
                **self.context.as_json(),
                "subjectType": self.subject_type,
                "sha256": self.sha256,
                "name": self.name,
                "salt": self.salt,
            }
        )

    @property
    def commitment(self) -> str:
        """SHA-256 of `to_bytes`, 64 hex digits: what is recorded."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentOpening:
        """Read what `to_bytes` gave. An error does not show what is in it: it is secret."""
        fields = parse_json(data, "opening")
        PRIVATE_CONTENT.check_header(fields, "the opening")
        try:
            made = cls(Context.from_json(fields), *(fields[name] for name in ("subjectType", "sha256", "name", "salt")))
            fits = len(made.salt) == 2 * SALT_BYTES and len(made.sha256) == 64 and not set(made.salt) - _HEX
            if not fits or made.subject_type not in ("file", "folder") or made.to_bytes() != data:
                raise ValueError
        except (KeyError, TypeError, ValueError, AttributeError, InputError):
            raise InputError("expected the opening of an encrypted file or folder, got something else") from None
        return made


def encrypt_content(
    path: Path,
    target: BinaryIO,
    recipients: Sequence[str],
    *,
    exclude: Collection[str] = (),
    progress: Progress | None = None,
) -> tuple[SubjectText, str]:
    """Encrypt a file as it is, or a folder as a tar, in one reading and flat memory."""
    subject_type: SubjectText = "folder" if path.is_dir() else "file"
    digests: list[str] = []
    blocks = _folder(path, exclude, digests, progress) if subject_type == "folder" else _file(path, digests, progress)
    reader = _BlockReader(blocks)
    try:
        encrypt_stream(reader, target, recipients)
    except StoreError:
        # the library hides what a reader raised
        hint = "Is the disk full, or may the lab's folder not be written to?"
        raise reader.problem or StoreError(f"what is encrypted of {path} can't be written", hint=hint) from None
    return subject_type, digests[-1]


def decrypt_content(
    source: BinaryIO, opening: ContentOpening, target: Path, identities: Sequence[Any], progress: Progress | None = None
) -> None:
    """Decrypt what `encrypt_content` wrote to a new file or folder. Nothing stays there if the content is not what was
    committed to.
    """
    if opening.subject_type == "file":
        with written(target) as file:
            if _decrypted(source, file, identities, progress) != opening.sha256:
                raise NotVerified("what was decrypted is not the file that was committed to")
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with placing(target) as partial, tempfile.TemporaryFile(dir=target.parent) as packed:
            _decrypted(source, packed, identities, progress)
            size = packed.tell()
            packed.seek(0)
            partial.mkdir(mode=0o700)
            unpack_tar(packed, partial, "the encrypted folder", limit=size)
            if digest_folder(partial).sha256 != opening.sha256:
                raise NotVerified("what was decrypted is not the folder that was committed to")
    except OSError as error:
        raise InputError(f"{target} can't be written: {error.strerror}") from None


def _decrypted(source: BinaryIO, target: Any, identities: Sequence[Any], progress: Progress | None) -> str:
    """Decrypt to `target` and return the SHA-256 of what was written; tell a full disk from a damaged file."""
    writer = _HashingWriter(target, progress)
    try:
        decrypt_stream(source, writer, identities)
    except NotVerified:
        if writer.problem:
            raise writer.problem from None
        raise
    return writer.digest.hexdigest()


class _HashingWriter:
    def __init__(self, target: Any, progress: Progress | None) -> None:
        self._target, self._progress = target, progress
        self.digest = hashlib.sha256()
        self.problem: OSError | None = None

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        if self._progress:
            self._progress(len(data))
        try:
            return int(self._target.write(data))
        except OSError as problem:
            self.problem = problem
            raise

    def flush(self) -> None:
        self._target.flush()


class _BlockReader(io.RawIOBase):
    def __init__(self, blocks: Iterator[bytes | memoryview]) -> None:
        self._blocks = blocks
        self._left = memoryview(b"")
        self.problem: BlockchainTracerError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            try:
                block = next(self._blocks, None)
            except BlockchainTracerError as problem:
                self.problem = problem
                raise
            if block is None:
                return 0
            self._left = memoryview(block)
        taken = min(len(buffer), len(self._left))
        buffer[:taken] = self._left[:taken]
        self._left = self._left[taken:]
        return taken


def _file(path: Path, digests: list[str], progress: Progress | None) -> Iterator[memoryview]:
    digest = hashlib.sha256()
    with open_regular(path) as (descriptor, size):
        for block in read_blocks(descriptor, size, path):
            digest.update(block)
            yield block
            if progress:
                progress(len(block))
    digests.append(digest.hexdigest())


def _folder(
    path: Path, exclude: Collection[str], digests: list[str], progress: Progress | None
) -> Iterator[bytes | memoryview]:
    """Yield a tar with the files in the order of the listing, and nothing of the machine but their executable bit."""
    listing = []
    for name, file in list_folder(path, exclude):
        entry = tarfile.TarInfo(name)
        status = Path(file).stat()
        entry.size, entry.mode = status.st_size, 0o755 if status.st_mode & 0o100 else 0o644
        yield entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
        size = 0
        for block in _file(Path(file), digests, progress):
            size += len(block)
            yield block
        if size != entry.size:
            raise InputError(f"{file} changed while it was read", hint="Try again once nothing writes to it.")
        yield bytes(-size % tarfile.BLOCKSIZE)
        listing.append((name, digests.pop()))
    yield bytes(2 * tarfile.BLOCKSIZE)
    digests.append(hashlib.sha256(format_listing(listing)).hexdigest())
