"""What each format of this package calls itself, and which of its versions are read. docs/formats.md describes them.

>>> str(BUNDLE)
'urn:blockchaintracer:bundle:v1'
>>> BUNDLE.check("urn:blockchaintracer:bundle:v1", "result.proof")
1
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import open_regular
from blockchaintracer.core.errors import InputError

_VERSION = re.compile(r"v[1-9][0-9]{0,8}")


class UnknownVersion(InputError):
    """A file of a version that this program does not read."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format, by name and version.

    Args:
        version: the version that is written, and the newest that is read.
        oldest: the oldest version that is read.
        algorithms: the names of all algorithms that a reader needs, ascending.
    """

    name: str
    version: int = 1
    oldest: int = 1
    algorithms: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the name of the version that is written, as files give it."""
        return f"{self.prefix}v{self.version}"

    @property
    def prefix(self) -> str:
        """What stands before the version in the name that a file gives itself."""
        return f"urn:blockchaintracer:{self.name}:"

    def names(self, text: Any) -> bool:
        """Return whether a text is the name of this format, in any version."""
        return (
            isinstance(text, str)
            and text.startswith(self.prefix)
            and _VERSION.fullmatch(text[len(self.prefix) :]) is not None
        )

    def check(self, text: Any, where: str) -> int:
        """Return the version that a file names.

        Args:
            text: what the file calls itself.
            where: the file, for messages.

        Raises:
            UnknownVersion: if the version is not read here.
            InputError: if it is another format.
        """
        if not self.names(text):
            raise InputError(f"{where}: expected {self}, got {str(text)[:100]!r}")
        return self.check_version(int(text[len(self.prefix) + 1 :]), where)

    def checked(self, text: str) -> str:
        """Return the text itself if this version is read, as a validator of a model's field."""
        self.check(text, "type")
        return text

    def check_version(self, version: Any, where: str) -> int:
        """Return the version of a file or folder that holds the number alone."""
        if type(version) is not int or version < 1:
            raise InputError(
                f"{where}: expected the version of {self.name} as a whole number, got {str(version)[:40]!r}"
            )
        if not self.oldest <= version <= self.version:
            span = f"{self.oldest} to {self.version}" if self.oldest < self.version else str(self.version)
            raise UnknownVersion(
                f"{where}: it is written in version {version} of {self.name}; this program reads version {span}",
                hint="Upgrade: pip install --upgrade blockchaintracer."
                if version > self.version
                else f"Convert it with a program that reads version {version}.",
                format=self.name,
                needed=version,
                reads=[self.oldest, self.version],
            )
        return version

    def header(self) -> dict[str, Any]:
        """Return the fields with which a JSON file of this format begins."""
        return {"type": str(self), **({"algorithms": list(self.algorithms)} if self.algorithms else {})}

    def check_header(self, data: Any, where: str) -> int:
        """Return the version of a JSON file whose content is `data`. Its algorithms must be those of the version."""
        if not isinstance(data, dict):
            raise InputError(f"{where}: expected an object of {self}")
        version = self.check(data.get("type"), where)
        if self.algorithms and data.get("algorithms") != list(self.algorithms):
            raise InputError(
                f"{where}: expected the algorithms {', '.join(self.algorithms)},"
                f" got {str(data.get('algorithms'))[:100]}"
            )
        return version


def read_limited(path: Path, limit: int, what: str, flags: int = 0) -> bytes:
    """Read a regular file of any origin that may have at most `limit` bytes. `what` and `flags` as `open_regular`."""
    with open_regular(path, what, flags) as (descriptor, size):
        data = os.read(descriptor, limit + 1) if size <= limit else None
    if data is None or len(data) > limit:
        raise InputError(f"{path}: expected {what} of at most {limit} bytes, got more")
    return data


SIGNED = ("eip-712", "keccak-256")
CHAIN = (*SIGNED, "sha2-256")
PROVEN = (*SIGNED, "merkle-patricia-trie", "rlp", "sha2-256")
HASHED = ("sha2-256",)
RENEWED = ("sha2-512", "sha3-256")

RECORD_KEY = Format("record-key", algorithms=PROVEN)
BUNDLE = Format("bundle", algorithms=PROVEN)
BUNDLE_BYTES = 64 << 20
BATCH_PROOF = Format("batch-proof", algorithms=PROVEN)
CHECKPOINTS = Format("checkpoints")
CHECKPOINT_BATCH = Format("checkpoint-batch")
RENEWAL = Format("renewal", algorithms=(*PROVEN, *RENEWED))
PUBLISHED = Format("published", algorithms=HASHED)
TRUSTED_BLOCKS = Format("trusted-blocks", algorithms=("keccak-256",))
DATASET = Format("dataset-content")
