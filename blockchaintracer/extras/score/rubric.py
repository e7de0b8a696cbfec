"""The rubric: what is scored and what it counts, as versioned data. A version that was published is never edited."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field, PositiveInt

from blockchaintracer.core.manifest.base import Part
from blockchaintracer.core.manifest.predicates import Line, Prose
from blockchaintracer.core.plain_json import canonical, parse_json

LATEST = 1


class Item(Part):
    """One thing that is checked, who asks for it, and what to do about it. All weights of a rubric sum to 100."""

    id: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")]
    weight: PositiveInt
    title: Line
    source: Annotated[tuple[Line, ...], Field(strict=False)]
    remedy: Prose


class Cap(Part):
    """The points that a record can have at most while something is missing."""

    id: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")]
    limit: PositiveInt
    reason: Line


class Rubric(Part):
    """All items, in the order in which they are told, and the caps."""

    version: PositiveInt
    caps: Annotated[tuple[Cap, ...], Field(strict=False)]
    items: Annotated[tuple[Item, ...], Field(strict=False)]

    @property
    def digest(self) -> str:
        """SHA-256 of its RFC 8785 bytes, 64 hex digits."""
        return hashlib.sha256(canonical(self.to_json())).hexdigest()


@cache
def load_rubric(version: int = LATEST) -> Rubric:
    """Read a version of the rubric, from this package."""
    name = f"rubric-{version}.json"
    return Rubric.from_plain(parse_json((files("blockchaintracer.extras.score") / name).read_bytes(), name), name)
