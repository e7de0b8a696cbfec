"""What identifies a dataset in memory: a SHA-256 of its whole content, with every column's name, type and digest.

>>> import numpy as np
>>> digest_dataset(np.arange(3)).sha256
'eaf147be66ba79ddf90f1f8000be578e1d331471acbbd15040a04534052aac11'

The digest is that of a small JSON document (`DatasetDigest.document`) which names rows, columns, types and a SHA-256 a
column: who has the same data can check it, and sees which column differs. How a column is hashed is said in
docs/formats.md, under "Dataset in memory"; it depends on values and types alone, not on how a library lays them out.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from blockchaintracer.core.digest import digest_folder, sha256_file
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import DATASET
from blockchaintracer.core.plain_json import canonical, plain
from blockchaintracer.lab.optional import require

if TYPE_CHECKING:
    from blockchaintracer.lab.traced_run import TracedRun

_ROWS = 1 << 16
_BYTES = 1 << 24
_DEFINED_OBJECTS = ("string", "bytes", "date", "decimal", "empty")
"""What objects in a pandas column may be, one of these in the whole column, by `pandas.api.types.infer_dtype`."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, or the whole of an array.

    Args:
        dtype: its type, by the same name in every library: ``int64``, ``string``, ``timestamp[us, UTC]``.
    """

    name: str
    dtype: str
    sha256: str


@dataclass(frozen=True, slots=True)
class DatasetDigest:
    """What identifies a dataset.

    Args:
        sha256: 64 hex digits: of `document`, or of the file or folder as `blockchaintracer.core.digest` has it.
        rows: of a table, or the length of an array's first axis; None for files, folders and several datasets.
        schema: the columns in their order; empty for files and folders. Of several datasets, the columns of all, named
            ``part/column``.
        document: the canonical JSON that `sha256` is of; empty for files and folders.
    """

    sha256: str
    rows: int | None
    schema: tuple[Column, ...]
    kind: Literal["table", "array", "several", "file", "folder"]
    document: bytes = b""


def digest_dataset(data: Any) -> DatasetDigest:
    """Digest the whole content of a dataset, in memory that doesn't grow with it.

    Args:
        data: a pandas or Polars DataFrame or Series; an Arrow table, record batch or reader, or a
            ``pyarrow.dataset.Dataset``, read batch by batch; a NumPy array of any shape; a path of a file or folder; or
            a mapping of names to any of these, such as ``{"features": X, "targets": y}``.

    Raises:
        InputError: naming the column, for what has no defined content (Python objects, periods, masked arrays, …) and
            for other types of data.
    """
    if isinstance(data, str | os.PathLike):
        if (path := Path(data)).is_dir():
            return DatasetDigest(digest_folder(path).sha256, None, (), "folder")
        return DatasetDigest(sha256_file(path), None, (), "file")
    if isinstance(data, Mapping):
        return _digest_several(data)
    libraries: dict[str, Callable[[Any], DatasetDigest | None]] = {
        "numpy": _digest_numpy,
        "pandas": _digest_pandas,
        "polars": _digest_polars,
        "pyarrow": _digest_arrow,
    }
    # a class that another library derived, such as geopandas', may hold what its base knows nothing of
    digest = libraries.get(type(data).__module__.partition(".")[0])
    found = digest(data) if digest else None
    if found is None:
        raise InputError(
            "data: expected a pandas, Polars, Arrow or NumPy dataset, a mapping of them or a path, got "
            f"{type(data).__module__}.{type(data).__qualname__}",
            hint="Convert it first: a tensor with .numpy(), a lazy frame with .collect().",
            field="data",
        )
    return found


def log_dataset(
    run: TracedRun, data: Any, name: str, *, relation: str = "trained-on", keep: bool = False
) -> DatasetDigest:
    """Log a dataset as an input of a run. One in memory is recorded as its document, ``NAME.dataset.json``.

    The record's subject is then `DatasetDigest.sha256`: who has the same data finds the record by it. The data
    themselves stay where they are unless `keep` is said.

    Args:
        data: as `digest_dataset` takes; a path is logged as ``run.log_input`` does.
        keep: also keep the data, as the output ``NAME.arrow`` or ``NAME.npy``, whose bytes the run's record names.

    Raises:
        InputError: as `digest_dataset`, or if data that can be read only once, or several, are to be kept.
    """
    digest = digest_dataset(data)
    if digest.kind in ("file", "folder"):
        run.log_input(data, relation=relation, name=name)
        return digest
    copy = _write_copy(data, name, partial(run.place, unused=True)) if keep else None
    document = run.place(f"{name}.dataset.json", unused=True)
    document.write_bytes(digest.document)
    run.log_input(document, relation=relation, name=name)
    if copy:
        run.log_output(copy, role="dataset")
    return digest


def _write_copy(data: Any, name: str, place: Callable[[str], Path]) -> Path:
    library = type(data).__module__.partition(".")[0]
    if library == "numpy":
        path = place(f"{name}.npy")
        _numpy().save(path, data, allow_pickle=False)
        return path
    pa = _arrow()
    if library == "pandas":
        data = pa.Table.from_pandas(data if data.ndim == 2 else data.to_frame())
    elif library == "polars":
        data = (data if hasattr(data, "columns") else data.to_frame()).to_arrow()
    elif isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if not isinstance(data, pa.Table):
        raise InputError(
            f"data: expected a table or an array to keep a copy of, got {type(data).__qualname__}",
            hint="Log each dataset by itself, and what is read from files as these files.",
            field="data",
        )
    path = place(f"{name}.arrow")
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, data.schema) as writer:
        writer.write_table(data)
    return path


def _digest_several(data: Mapping[Any, Any]) -> DatasetDigest:
    if not data:
        raise InputError("data: expected at least one dataset, got an empty mapping", field="data")
    parts = {_name(name): digest_dataset(part) for name, part in data.items()}
    if len(parts) != len(data):
        raise InputError(f"data: expected names that differ, got {', '.join(map(str, data))}", field="data")
    named = {name: {"kind": part.kind, "rows": part.rows, "sha256": part.sha256} for name, part in parts.items()}
    document = _canonical({"type": str(DATASET), "kind": "several", "parts": named})
    schema = tuple(
        Column(f"{name}/{column.name}" if column.name else name, column.dtype, column.sha256)
        for name, part in sorted(parts.items())
        for column in part.schema
    )
    return DatasetDigest(hashlib.sha256(document).hexdigest(), None, schema, "several", document)


def _table(rows: int, columns: Sequence[Column]) -> DatasetDigest:
    names = [column.name for column in columns]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"data: expected each column's name once, got {twice!r} twice", field="data")
    listed = [{"name": column.name, "dtype": column.dtype, "sha256": column.sha256} for column in columns]
    document = _canonical({"type": str(DATASET), "kind": "table", "rows": rows, "columns": listed})
    return DatasetDigest(hashlib.sha256(document).hexdigest(), rows, tuple(columns), "table", document)


def _canonical(document: dict[str, Any]) -> bytes:
    return canonical(plain(document, "data"))


def _name(name: Any) -> str:
    # pandas numbers the columns of an unnamed array; tuples (of a MultiIndex) have no one name
    if isinstance(name, str) or (isinstance(name, int) and not isinstance(name, bool)):
        return str(name)
    raise InputError(f"data: expected text as a column's name, got {name!r}", hint="Rename it first.", field="data")


# -- libraries


def _digest_pandas(data: Any) -> DatasetDigest | None:
    pd, pa = require("pandas", "tables"), _arrow()
    frame = data.to_frame("" if data.name is None else data.name) if isinstance(data, pd.Series) else data
    if not isinstance(frame, pd.DataFrame):
        return None
    # unnamed whole numbers only say where a row stood, and no other library keeps them
    index = frame.index
    counts = index.nlevels > 1 or index.name is not None or not pd.api.types.is_integer_dtype(index.dtype)
    levels = [
        (f"__index_level_{level}__" if name is None else name, index.get_level_values(level))
        for level, name in (enumerate(index.names) if counts else ())
    ]
    columns = ((name, frame.iloc[:, place]) for place, name in enumerate(frame.columns))

    def blocks(name: str, values: Any) -> Iterator[Any]:
        dtype = None
        if values.dtype == object:
            inferred = pd.api.types.infer_dtype(values, skipna=True)
            if inferred not in _DEFINED_OBJECTS:
                raise _refused(name, f"text, bytes, dates or decimals as objects, got {inferred} objects")
            dtype = pa.infer_type(values.array, from_pandas=True)
        rows = values if isinstance(values, pd.Index) else values.iloc
        for start in range(0, max(len(values), 1), _ROWS):
            block = rows[start : start + _ROWS]
            made = pa.Array.from_pandas(block, type=dtype)
            yield made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made

    return _table(len(frame), [_column(_name(name), blocks(str(name), values)) for name, values in (*levels, *columns)])


def _digest_polars(data: Any) -> DatasetDigest | None:
    pl = require("polars", "tables")
    frame = data.to_frame() if isinstance(data, pl.Series) else data
    if not isinstance(frame, pl.DataFrame):
        return None

    def blocks(series: Any) -> Iterator[Any]:
        if series.dtype == pl.Object:
            raise _refused(series.name, "values of a type with a defined encoding, got Python objects")
        for start in range(0, max(len(series), 1), _ROWS):
            made = series.slice(start, _ROWS).to_arrow()
            if isinstance(series.dtype, pl.Enum):
                # polars before 2 doesn't say that an Enum has an order
                made = _arrow().DictionaryArray.from_arrays(made.indices, made.dictionary, ordered=True)
            yield made

    return _table(frame.height, [_column(series.name, blocks(series)) for series in frame.iter_columns()])


def _digest_arrow(data: Any) -> DatasetDigest | None:
    pa = _arrow()
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        columns = zip(data.column_names, data.columns, strict=True)
        return _table(data.num_rows, [_column(name, column.chunks, column.type) for name, column in columns])
    if hasattr(data, "to_batches") and hasattr(data, "schema"):
        batches, schema = data.to_batches(), data.schema
    elif isinstance(data, pa.RecordBatchReader):
        batches, schema = data, data.schema
    else:
        return None
    rows, streams = 0, [_ColumnHasher(field.type, field.name) for field in schema]
    for batch in batches:
        rows += batch.num_rows
        for stream, array in zip(streams, batch.columns, strict=True):
            stream.update(array)
    return _table(rows, [stream.column() for stream in streams])


def _digest_numpy(data: Any) -> DatasetDigest | None:
    np = _numpy()
    if not isinstance(data, np.ndarray) or isinstance(data, np.ma.MaskedArray):
        return None
    if data.dtype.names and data.ndim == 1:
        return _table(len(data), [_column(name, _fields(data[name], name)) for name in data.dtype.names])
    if data.dtype.kind not in "biufcmMSU" or (data.dtype.kind in "fc" and data.dtype.name not in _FLOATS):
        raise _refused("", f"an array of numbers, times or text, got dtype {data.dtype}")
    whole = hashlib.sha256()
    width = data.dtype.itemsize // (2 if data.dtype.kind == "c" else 1)
    for block in little_blocks(data):
        values = _one_nan(block.reshape(-1).view(f"<f{width}")) if data.dtype.kind in "fc" else block
        whole.update(values.tobytes())
    column = Column("", data.dtype.name, whole.hexdigest())
    content = {"dtype": column.dtype, "shape": list(data.shape), "sha256": column.sha256}
    document = _canonical({"type": str(DATASET), "kind": "array", **content})
    rows = len(data) if data.ndim else None
    return DatasetDigest(hashlib.sha256(document).hexdigest(), rows, (column,), "array", document)


_FLOATS = ("float16", "float32", "float64", "complex64", "complex128")
"""Of one size on every machine, which long doubles aren't."""


def _fields(values: Any, name: str) -> Iterator[Any]:
    if values.ndim != 1 or values.dtype.kind not in "biufmMS":
        raise _refused(name, f"plain values in a field, got dtype {values.dtype} and shape {values.shape[1:]}")
    for start in range(0, max(len(values), 1), _ROWS):
        block = values[start : start + _ROWS]
        yield _arrow().array(_numpy().ascontiguousarray(block, dtype=block.dtype.newbyteorder("=")))


# -- a column, as Arrow holds it


class _ColumnHasher:
    """The hashes of one level of a column: where nulls are, lengths, values; then those of the levels in it."""

    def __init__(self, dtype: Any, name: str) -> None:
        self._name, self._type = name, dtype
        self._count = 0
        self._categories: str | None = None
        self._nulls, self._lengths, self._values = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
        self._inner: list[_ColumnHasher] = []
        self._layout = dtype
        self._take = self._take_fixed
        self.label = self._set_up(dtype)

    def _set_up(self, dtype: Any) -> str:
        """Choose how values are hashed, and the layout they are cast to for it; the type's name."""
        pa, types = _arrow(), _arrow().types
        if types.is_null(dtype):
            self._take = self._take_nothing
            return "null"
        if types.is_boolean(dtype):
            self._layout = pa.uint8()
            return "bool"
        if types.is_floating(dtype):
            self._take = self._take_floats
            return f"float{dtype.bit_width}"
        if types.is_integer(dtype) or types.is_time(dtype) or types.is_duration(dtype):
            return str(dtype)
        if types.is_date(dtype):
            return f"date{dtype.bit_width}"
        if types.is_timestamp(dtype):
            return f"timestamp[{dtype.unit}, {dtype.tz}]" if dtype.tz else f"timestamp[{dtype.unit}]"
        if types.is_decimal(dtype):
            return f"decimal{dtype.bit_width}[{dtype.precision}, {dtype.scale}]"
        if types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype):
            self._layout, self._take = pa.large_string(), self._take_bytes
            return "string"
        fixed = types.is_fixed_size_binary(dtype)
        if fixed or types.is_binary(dtype) or types.is_large_binary(dtype) or types.is_binary_view(dtype):
            self._layout, self._take = pa.large_binary(), self._take_bytes
            return f"binary[{dtype.byte_width}]" if fixed else "binary"
        if types.is_dictionary(dtype):
            self._take = self._take_categories
            ordered = ", ordered" if dtype.ordered else ""
            return f"categorical[{self._add_inner(dtype.value_type)}{ordered}]"
        if types.is_fixed_size_list(dtype):
            self._take = self._take_flat
            return f"list[{self._add_inner(dtype.value_type)}, {dtype.list_size}]"
        if any(
            is_list(dtype)
            for is_list in (types.is_list, types.is_large_list, types.is_list_view, types.is_large_list_view)
        ):
            self._take = self._take_lists
            return f"list[{self._add_inner(dtype.value_type)}]"
        if types.is_struct(dtype):
            self._take = self._take_fields
            fields = (dtype.field(index) for index in range(dtype.num_fields))
            return f"struct[{', '.join(f'{canonical(f.name).decode()}: {self._add_inner(f.type)}' for f in fields)}]"
        raise _refused(self._name, f"values of a type with a defined encoding, got {dtype}")

    def _add_inner(self, dtype: Any) -> str:
        self._inner.append(_ColumnHasher(dtype, self._name))
        return self._inner[-1].label

    def update(self, array: Any) -> None:
        """Hash the next values, an Arrow array."""
        if array.type != self._type:
            raise _refused(self._name, f"one type, got {self._type} and {array.type}")
        for start in range(0, len(array), _ROWS):
            block = array.slice(start, _ROWS)
            if block.type != self._layout:
                block = block.cast(self._layout)
            if block.null_count and self._take != self._take_nothing:
                nulls = _numpy().flatnonzero(_as_numpy(block.is_null()))
                self._nulls.update((nulls + self._count).astype("<u8"))
            self._take(block.drop_null() if block.null_count else block)
            self._count += len(block)

    def column(self) -> Column:
        """Return the column of all values."""
        return Column(self._name, self.label, hashlib.sha256(b"".join(self._digests())).hexdigest())

    def _digests(self) -> Iterator[bytes]:
        yield from (self._nulls.digest(), self._lengths.digest(), self._values.digest())
        for inner in self._inner:
            yield from inner._digests()

    def _take_nothing(self, array: Any) -> None:
        """Hash nothing: the number of nulls is the number of rows."""

    def _take_fixed(self, array: Any) -> None:
        width = array.type.bit_width // 8
        if len(array):
            values = memoryview(array.buffers()[1])[array.offset * width :][: len(array) * width]
            self._values.update(little_endian(values, width))

    def _take_floats(self, array: Any) -> None:
        values = _as_numpy(array)
        self._values.update(_one_nan(values.astype(values.dtype.newbyteorder("<"), copy=False)).tobytes())

    def _take_bytes(self, array: Any) -> None:
        if len(array):
            np = _numpy()
            offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset :][: len(array) + 1]
            self._lengths.update(np.diff(offsets).astype("<u8"))
            if offsets[-1] > offsets[0]:
                self._values.update(memoryview(array.buffers()[2])[offsets[0] : offsets[-1]])

    def _take_categories(self, array: Any) -> None:
        if self._type.ordered and len(array):
            # their order is what the values mean; of unordered ones neither order nor what doesn't occur counts
            categories = _column(self._name, [array.dictionary]).sha256
            if self._categories is None:
                self._categories = categories
                self._lengths.update(bytes.fromhex(categories))
            elif self._categories != categories:
                raise _refused(self._name, "the same ordered categories in every chunk; call unify_dictionaries()")
        self._inner[0].update(array.dictionary_decode())

    def _take_flat(self, array: Any) -> None:
        self._inner[0].update(array.flatten())

    def _take_lists(self, array: Any) -> None:
        # not by a cast to one layout: that of list views reads freed memory (pyarrow 25.0.1)
        self._lengths.update(_as_numpy(require("pyarrow.compute", "tables").list_value_length(array)).astype("<u8"))
        self._take_flat(array)

    def _take_fields(self, array: Any) -> None:
        for inner, values in zip(self._inner, array.flatten(), strict=True):
            inner.update(values)


def _column(name: str, blocks: Iterable[Any], dtype: Any = None) -> Column:
    """Hash a column of Arrow arrays; there is at least one unless `dtype` is given."""
    pa = _arrow()
    streams = None if dtype is None else _ColumnHasher(dtype, name)
    try:
        for block in blocks:
            streams = streams or _ColumnHasher(block.type, name)
            streams.update(block)
    except (pa.ArrowException, NotImplementedError) as error:
        raise _refused(name, f"values that Arrow has a type for ({str(error).splitlines()[0][:200]})") from None
    if streams is None:
        raise _refused(name, "values, got none")
    return streams.column()


def little_blocks(array: Any) -> Iterator[Any]:
    """Yield a NumPy array in C order and little-endian, a few of its rows at a time."""
    little, step = array.dtype.newbyteorder("<"), max(1, _BYTES // max(1, array[:1].nbytes)) if array.ndim else 1
    for start in range(0, len(array) if array.ndim else 1, step):
        yield _numpy().ascontiguousarray(array[start : start + step] if array.ndim else array, dtype=little)


def little_endian(values: Any, width: int) -> Any:
    """Convert bytes that hold numbers of `width` bytes in this machine's order to little-endian."""
    if sys.byteorder == "little":
        return values
    return _numpy().frombuffer(values, "u1").reshape(-1, width)[:, ::-1].tobytes()


def _one_nan(values: Any) -> Any:
    """Return floats with one NaN: which of its bits are set differs by processor and says nothing."""
    np = _numpy()
    missing = np.isnan(values)
    return (
        np.where(missing, values.dtype.type(np.nan), values).astype(values.dtype, copy=False)
        if missing.any()
        else values
    )


def _as_numpy(array: Any) -> Any:
    return array.to_numpy(zero_copy_only=False)


def _refused(name: str, expected: str) -> InputError:
    field = f"data.{name}" if name else "data"
    return InputError(f"{field}: expected {expected}", hint="Convert or leave it out first.", field=field, column=name)


def _arrow() -> Any:
    return require("pyarrow", "tables")


def _numpy() -> Any:
    return require("numpy", "tables")
