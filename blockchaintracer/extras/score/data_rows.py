"""The rows of data files as digests, to see whether two files share one. Rows are equal if their bytes or cells are.

CSV needs the standard library alone, NPY needs numpy, Parquet pyarrow.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record import counted

MOST_ROWS = 5_000_000
"""Rows of one side at most: their digests are held in memory."""
_NPY, _PARQUET = b"\x93NUMPY", b"PAR1"
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


class Unreadable(Exception):
    """Why the rows of a file can't be told."""


@dataclass(frozen=True)
class Table:
    """A data file. The suffix of what it is called tells how it is read where its first bytes don't."""

    path: Path
    name: str

    def rows(self, *, header: bool = False) -> Iterator[bytes]:
        """Hash each row, in order; `header` leaves a CSV's first line out."""
        for count, row in enumerate(self._read(header)):
            if count == MOST_ROWS:
                raise Unreadable(f"{self.name} has more than {MOST_ROWS} rows")
            yield hashlib.sha256(row).digest()[:16]

    def first_line(self) -> list[str] | None:
        """Read the cells of a CSV's first line; None if it is no CSV."""
        return next(self._cells(), []) if self._format() in _DELIMITERS else None

    def layout(self) -> str:
        """Describe what rows must have in common to be compared: columns, and of arrays their type."""
        form = self._format()
        if form == "npy":
            array = self._npy_array()
            return f"NPY {array.dtype.str} {list(array.shape[1:])}"
        if form == "parquet":
            return f"Parquet {self._parquet_file().schema_arrow.names}"
        return counted(len(next(self._cells(), [])), "column")

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
            return (row.tobytes() for row in self._npy_array())
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

    def _npy_array(self) -> Any:
        numpy = self._library("numpy", "NPY")
        try:
            array = numpy.load(self.path, mmap_mode="r", allow_pickle=False)
        except Exception:  # its parser lets the tokenizer's own errors through
            raise Unreadable(f"{self.name} can't be read as NPY, or holds Python objects") from None
        if array.ndim == 0 or array.dtype.names or not array.flags.c_contiguous:
            raise Unreadable(f"{self.name} is no NPY array of numbers or text with its rows one after another")
        return array

    def _parquet(self) -> Iterator[bytes]:
        for batch in self._parquet_file().iter_batches():
            for row in batch.to_pylist():
                yield repr(list(row.items())).encode()

    def _parquet_file(self) -> Any:
        parquet = self._library("pyarrow.parquet", "Parquet")
        try:
            return parquet.ParquetFile(self.path)
        except (OSError, ValueError):
            raise Unreadable(f"{self.name} can't be read as Parquet") from None

    def _library(self, module: str, form: str) -> Any:
        try:
            return importlib.import_module(module)
        except ImportError:
            raise Unreadable(f"{self.name} is {form}, which takes {module.partition('.')[0]} to read") from None


def read_split(path: Path) -> dict[str, Any]:
    """Read a split file: ``train`` and ``test`` as row numbers from 0, and ``header`` (true by default): whether row 0
    of a CSV is the line after its first.
    """
    try:
        split = parse_json(read_limited(path, 16 * MOST_ROWS, "a split"), "split", 16 * MOST_ROWS)
        sides = {name: split[name] for name in ("train", "test")}
        header = split.get("header", True)
    except (InputError, KeyError, TypeError, AttributeError):
        raise Unreadable('the split is no JSON object with "train" and "test"') from None
    for numbers in sides.values():
        if not isinstance(numbers, list) or not numbers or not all(type(row) is int and row >= 0 for row in numbers):
            raise Unreadable("the split holds no row numbers")
    return {**sides, "header": header is not False}
