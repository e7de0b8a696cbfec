"""Unpack a tar that a stranger may have made: all of it is checked, then plain files are written below one folder."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import BinaryIO, cast

from blockchaintracer.core.digest import check_listed
from blockchaintracer.core.errors import InputError, NotVerified

MAX_FILES = 1_000_000
"""Files of the largest archive: each costs a place on the disk, also an empty one."""
_PART = 1 << 20
# what the standard library raises for tars that nobody makes by accident
_MALFORMED = (tarfile.TarError, ValueError, OverflowError, MemoryError, RecursionError)


def unpack_tar(packed: BinaryIO, folder: Path, what: str, *, limit: int) -> list[str]:
    """Write the files of a tar below a new folder, readable by this user alone; return their names.

    Args:
        what: the archive, for errors: "the encrypted folder".
        limit: bytes that all files may have together.

    Raises:
        NotVerified: if the tar holds a link, a device, a sparse file, a name twice, one that leaves the folder, or
            too much.
        OSError: if a file can't be written.
    """
    try:
        with tarfile.open(fileobj=cast(BinaryIO, _BoundedReader(packed)), mode="r:") as tar:
            members, size = [], 0
            for member in tar:
                # a sparse file of a few bytes could unpack to more than any disk holds
                if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
                    raise NotVerified(f"expected plain files alone in {what}, got {member.name!r}")
                members.append(member)
                size += member.size
                if size > limit or len(members) > MAX_FILES:
                    raise NotVerified(f"expected at most {MAX_FILES:,} files and {limit:,} bytes in {what}, got more")
            check_listed([member.name for member in members])
            for member in members:
                place = folder / member.name
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                content = tar.extractfile(member)
                with place.open("xb") as file:
                    while block := content.read(1 << 16) if content else b"":
                        file.write(block)
                place.chmod(0o700 if member.mode & 0o100 else 0o600)
    except (*_MALFORMED, InputError) as error:
        reason = error.message if isinstance(error, InputError) else type(error).__name__
        raise NotVerified(f"{what} can't be unpacked: {reason}") from None
    return [member.name for member in members]


class _BoundedReader:
    """A file that is read in small parts only: the header of a tar may claim any size."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _PART:
            raise tarfile.ReadError(f"a part of {size} bytes")
        return self._file.read(size)

    def seek(self, *place: int) -> int:
        return self._file.seek(*place)

    def tell(self) -> int:
        return self._file.tell()
