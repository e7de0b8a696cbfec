"""The rows of data files as digests, to see whether two files share one. Rows are equal if their bytes or cells are.

CSV and NPY need the standard library alone, Parquet needs pyarrow.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import importlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest.base import parse_json

MOST_ROWS = 5_000_000
"""Rows of one side at most: their digests are held in memory."""
_NPY, _PARQUET = b"\x93NUMPY", b"PAR1"
_TYPE = re.compile(r"[<>|=][biufcSUV][0-9]{1,9}")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


class Unreadable(Exception):
    """Why the rows of a file can't be told."""


@dataclass(frozen=True)
class Table:
    """A data file.

    Args:
        path: of the file, whatever its name.
        name: what it is called: its suffix tells how it is read where its first bytes don't.
    """

    path: Path
    name: str

    def rows(self, *, header: bool = False) -> Iterator[bytes]:
        """Hash each row, in order.

        Args:
            header: whether a CSV's first line is left out.

        Raises:
            Unreadable: if it is no such file, or has more than `MOST_ROWS`.
        """
        for count, row in enumerate(self._read(header)):
            if count == MOST_ROWS:
                raise Unreadable(f"{self.name} has more than {MOST_ROWS} rows")
            yield hashlib.sha256(row).digest()[:16]

    def first_line(self) -> list[str] | None:
        """Read the cells of a CSV's first line; None if it is no CSV."""
        return next(self._cells(), []) if self._format() in _DELIMITERS else None

    def layout(self) -> str:
        """Describe what rows must have in common to be compared: columns, and of arrays their type.

        Raises:
            Unreadable: as `rows`.
        """
        form = self._format()
        if form == "npy":
            with self.path.open("rb") as file:
                kind, shape = self._npy_header(file)
            return f"NPY {kind} {list(shape[1:])}"
        if form == "parquet":
            return f"Parquet {self._parquet_file().schema_arrow.names}"
        return f"{len(next(self._cells(), []))} columns"

    def _format(self) -> str:
        with self.path.open("rb") as file:
            start = file.read(6)
        if start == _NPY:
            return "npy"
        if start[:4] == _PARQUET:
            return "parquet"
        return Path(self.name).suffix.lower()

    def _read(self, header: bool) -> Iterator[bytes]:
        form = self._format()
        if form == "npy":
            return self._npy()
        if form == "parquet":
            return self._parquet()
        cells = self._cells()
        if header:
            next(cells, None)
        return (json.dumps(row).encode() for row in cells)

    def _cells(self) -> Iterator[list[str]]:
        if self._format() not in _DELIMITERS:
            raise Unreadable(f"{self.name} is no CSV, NPY or Parquet file")
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                for row in csv.reader(file, delimiter=_DELIMITERS[self._format()]):
                    if row:
                        yield row
        except (csv.Error, UnicodeDecodeError):
            raise Unreadable(f"{self.name} can't be read as CSV in UTF-8") from None

    def _npy(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            kind, shape = self._npy_header(file)
            size = int(kind[2:]) * (4 if kind[1] == "U" else 1) * math.prod(shape[1:])
            for _ in range(shape[0]):
                row = file.read(size)
                if len(row) != size:
                    raise Unreadable(f"{self.name} is shorter than its header says")
                yield row

    def _npy_header(self, file: BinaryIO) -> tuple[str, tuple[int, ...]]:
        """Type and shape, as numpy.lib.format writes them in versions 1 to 3: a Python literal before the array."""
        major = file.read(8)[6]
        length = int.from_bytes(file.read(2 if major == 1 else 4), "little")
        try:
            header = ast.literal_eval(file.read(min(length, 1 << 16)).decode())
            kind, shape, fortran = header["descr"], header["shape"], header["fortran_order"]
            plain = bool(_TYPE.fullmatch(kind)) and all(type(axis) is int and axis >= 0 for axis in shape)
        except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
            plain = False
        if not plain or not shape or (fortran and len(shape) > 1):
            raise Unreadable(f"{self.name} is no NPY array of numbers or text with its rows one after another")
        return kind, shape

    def _parquet(self) -> Iterator[bytes]:
        for batch in self._parquet_file().iter_batches():
            for row in batch.to_pylist():
                yield repr(list(row.items())).encode()

    def _parquet_file(self) -> Any:
        try:
            parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise Unreadable(f"{self.name} is Parquet, which takes pyarrow to read") from None
        try:
            return parquet.ParquetFile(self.path)
        except (OSError, ValueError):
            raise Unreadable(f"{self.name} can't be read as Parquet") from None


def read_split(path: Path) -> dict[str, Any]:
    """Read a split file: ``train`` and ``test`` as row numbers from 0, and ``header`` (true by default): whether row 0
    of a CSV is the line after its first.

    Raises:
        Unreadable: if it is none.
    """
    try:
        split = parse_json(path.read_bytes(), "split", path.stat().st_size)
        sides = {name: split[name] for name in ("train", "test")}
        header = split.get("header", True)
    except (InputError, KeyError, TypeError, AttributeError):
        raise Unreadable('the split is no JSON object with "train" and "test"') from None
    for numbers in sides.values():
        if not isinstance(numbers, list) or not numbers or not all(type(row) is int and row >= 0 for row in numbers):
            raise Unreadable("the split holds no row numbers")
    return {**sides, "header": header is not False}
