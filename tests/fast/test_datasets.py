"""Digests of whole datasets: equal for equal content however it's laid out, another for any other."""

import doctest
import hashlib
import json
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import DATASET
from blockchaintracer.lab import datasets
from blockchaintracer.lab.datasets import digest_dataset


def sha(data):
    return digest_dataset(data).sha256


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    """Rows are taken a few at a time, so that small data cross blocks as large data do."""
    monkeypatch.setattr(datasets, "_ROWS", 3)


def chunked(table, size):
    """The same table in chunks of some rows, each with something before and after it in its buffers."""
    batches = [
        pa.concat_tables([table.slice(0, 1), table.slice(start, size), table.slice(0, 1)])
        .combine_chunks()
        .slice(1, min(size, table.num_rows - start))
        for start in range(0, table.num_rows, size)
    ]
    return pa.concat_tables(batches) if batches else table


TYPES = {
    "int8": (pa.int8(), st.integers(-128, 127)),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "float32": (pa.float32(), st.floats(width=32, allow_nan=False)),
    "float64": (pa.float64(), st.floats(allow_nan=False)),
    "bool": (pa.bool_(), st.booleans()),
    "string": (pa.string(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
    "binary": (pa.binary(), st.binary(max_size=5)),
    "binary[2]": (pa.binary(2), st.binary(min_size=2, max_size=2)),
    "date32": (pa.date32(), st.dates()),
    "timestamp[us, UTC]": (pa.timestamp("us", "UTC"), st.integers(-(10**15), 10**15)),
    "duration[ms]": (pa.duration("ms"), st.integers(-(10**12), 10**12)),
    "decimal128[9, 2]": (pa.decimal128(9, 2), st.integers(-(10**8), 10**8).map(lambda n: Decimal(n) / 100)),
    "list[int16]": (pa.list_(pa.int16()), st.lists(st.one_of(st.none(), st.integers(-9, 9)), max_size=3)),
    "list[int8, 2]": (pa.list_(pa.int8(), 2), st.lists(st.integers(-9, 9), min_size=2, max_size=2)),
    'struct["x": int32, "y": string]': (
        pa.struct({"x": pa.int32(), "y": pa.string()}),
        st.fixed_dictionaries({"x": st.one_of(st.none(), st.integers(0, 9)), "y": st.text("ab", max_size=2)}),
    ),
    "list[list[string]]": (pa.list_(pa.list_(pa.string())), st.lists(st.lists(st.text("ab"), max_size=2), max_size=2)),
}


@st.composite
def columns(draw, least=0):
    """A type's name, and values of it."""
    label = draw(st.sampled_from(sorted(TYPES)))
    return label, draw(st.lists(st.one_of(st.none(), TYPES[label][1]), min_size=least, max_size=11))


def table_of(*cols):
    rows = max(len(values) for _, values in cols)
    return pa.table(
        {
            f"c{i}": pa.array([*values, *[None] * (rows - len(values))], TYPES[label][0])
            for i, (label, values) in enumerate(cols)
        }
    )


@settings(deadline=None, max_examples=150)
@given(st.lists(columns(), min_size=1, max_size=3), st.integers(1, 5))
def test_chunks_slices_and_batches_change_nothing(cols, size):
    table = table_of(*cols)
    digest = digest_dataset(table)
    assert [column.dtype for column in digest.schema] == [label for label, _ in cols]
    assert digest.rows == table.num_rows
    assert sha(chunked(table, size)) == digest.sha256
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=size))
    assert sha(reader) == digest.sha256
    assert sha(pa.dataset.dataset(table)) == digest.sha256
    if table.num_rows:
        assert sha(table.combine_chunks().to_batches()[0]) == digest.sha256


def exact(value):
    """A value so that 0.0 and -0.0, and 1 and True, differ, and an object's fields have no order."""
    return repr(sorted(value.items())) if isinstance(value, dict) else repr(value)


@settings(deadline=None, max_examples=200)
@given(columns(least=1), st.data())
def test_another_value_in_any_row_is_another_digest(column, data):
    label, values = column
    row = data.draw(st.integers(0, len(values) - 1))
    other = data.draw(st.one_of(st.none(), TYPES[label][1]).filter(lambda value: exact(value) != exact(values[row])))
    changed = [*values[:row], other, *values[row + 1 :]]
    before, after = digest_dataset(table_of(column)), digest_dataset(table_of((label, changed)))
    assert before.sha256 != after.sha256
    assert before.schema[0].sha256 != after.schema[0].sha256


@settings(deadline=None, max_examples=100)
@given(st.lists(columns(least=2), min_size=2, max_size=3), st.data())
def test_names_types_order_and_number_of_rows_count(cols, data):
    table = table_of(*cols)
    seen = {sha(table)}
    others = [
        table.rename_columns(["other", *table.column_names[1:]]),
        table.slice(0, table.num_rows - 1),
        pa.concat_tables([table, table.slice(0, 1)]),
        table.select(table.column_names[:-1]),
    ]
    if table.column(0) != table.column(1):
        others.append(table.rename_columns([*reversed(table.column_names[:2]), *table.column_names[2:]]))
    for other in others:
        assert sha(other) not in seen
        seen.add(sha(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [(pa.int32(), pa.int64()), (pa.int64(), pa.uint64()), (pa.int64(), pa.timestamp("ns")), (pa.string(), pa.binary()),
     (pa.timestamp("ns"), pa.timestamp("ns", "UTC")), (pa.float32(), pa.float64()), (pa.date32(), pa.date64()),
     (pa.list_(pa.int8()), pa.list_(pa.int8(), 1)), (pa.decimal128(9, 2), pa.decimal128(10, 2)),
     (pa.string(), pa.dictionary(pa.int8(), pa.string())),
     (pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int8(), pa.string(), ordered=True)),
     (pa.struct({"a": pa.int8()}), pa.struct({"b": pa.int8()}))],
    ids=str,
)  # fmt: skip
def test_a_type_counts_even_where_no_value_differs(one, other):
    """Nulls alone: the bytes are the same."""
    assert sha(pa.table({"a": pa.nulls(2, one)})) != sha(pa.table({"a": pa.nulls(2, other)}))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.one_of(st.none(), st.text("abc", max_size=3)), max_size=12), st.integers(1, 5))
def test_layouts_of_text_lists_and_categories_are_one(values, size):
    text = {sha(pa.table({"a": pa.array(values, kind)})) for kind in (pa.string(), pa.large_string(), pa.string_view())}
    assert text == {sha(pl.DataFrame({"a": values}, schema={"a": pl.String}))}
    lists = [None if value is None else [*value] for value in values]
    kinds = [make(pa.string()) for make in (pa.list_, pa.large_list, pa.list_view)]
    assert len({sha(pa.table({"a": pa.array(lists, kind)})) for kind in kinds}) == 1
    encoded = pa.array(values, pa.string()).dictionary_encode()
    # the same categories, numbered from the end, with one that doesn't occur
    names = [*sorted({value for value in values if value is not None}, reverse=True), "zzz"]
    codes = pa.array([None if value is None else names.index(value) for value in values], pa.int8())
    renumbered = pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.large_string()))
    chunks = [pa.array(values[at : at + size], pa.string()).dictionary_encode() for at in range(0, len(values), size)]
    categorical = {
        sha(pa.table({"a": encoded})),
        sha(pa.table({"a": renumbered})),
        sha(pa.table({"a": pa.chunked_array(chunks, encoded.type)})),
        sha(pd.DataFrame({"a": pd.Categorical(values, categories=names)})),
        sha(pl.DataFrame({"a": pl.Series(values, dtype=pl.Categorical)})),
    }
    assert len(categorical) == 1
    assert categorical.isdisjoint(text)


COMMON = {
    "i": pa.array([1, 2, 3, 4, 5], pa.int32()),
    "u": pa.array([1, 2, 3, 4, 2**64 - 1], pa.uint64()),
    "f": pa.array([1.5, -0.0, 0.0, 1e-310, float("inf")], pa.float64()),
    "g": pa.array([1.5, None, 0.0, 2.0, 3.0], pa.float32()),
    "s": pa.array(["a", None, "", "ü", "a" * 99], pa.string()),
    "b": pa.array([True, False, True, True, False]),
    "t": pa.array([1, None, 3, 4, -5], pa.timestamp("us")),
    "z": pa.array([1, 2, 3, 4, 5], pa.timestamp("ns", "Europe/Rome")),
    "d": pa.array([1, 2, None, 4, 5], pa.duration("ms")),
}


def test_pandas_polars_and_arrow_agree():
    table = pa.table(COMMON)
    frame = table.to_pandas()
    assert str(frame["s"].dtype) in ("object", "str")  # of pandas 2 and 3
    assert sha(frame) == sha(table) == sha(pl.from_arrow(table))
    assert sha(table.to_pandas(types_mapper=pd.ArrowDtype)) == sha(table)
    assert sha(frame.assign(s=frame["s"].astype("string"))) == sha(table)
    assert sha(frame["s"]) == sha(pl.from_arrow(table)["s"]) == sha(table.select(["s"]))
    more = pa.table({"b": pa.array([b"a", None]), "d": pa.array([date(2020, 1, 1), None]),
                     "c": pa.array([Decimal("1.50"), None], pa.decimal128(3, 2))})  # fmt: skip
    assert sha(more.to_pandas()) == sha(more)
    nullable = pa.table({"a": pa.array([1, None, 3], pa.int64())})
    assert sha(nullable.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)) == sha(nullable)
    assert sha(pl.from_arrow(nullable)) == sha(nullable)
    fields = np.array([(1, 2.5), (3, np.nan)], dtype=[("a", ">i4"), ("b", "<f8")])
    assert sha(fields) == sha(pa.table({"a": pa.array([1, 3], pa.int32()), "b": [2.5, float("nan")]}))


def test_missing_is_not_nan_but_in_pandas_they_are_one():
    null, nan = pa.table({"a": [1.0, None]}), pa.table({"a": [1.0, float("nan")]})
    assert sha(null) != sha(nan)
    assert sha(pl.DataFrame({"a": [1.0, None]})) == sha(null)
    assert sha(pl.DataFrame({"a": [1.0, float("nan")]})) == sha(nan)
    assert sha(pd.DataFrame({"a": [1.0, float("nan")]})) == sha(null)


def test_the_index_counts_where_it_says_something():
    frame = pd.DataFrame({"a": [3, 1, 2]})
    assert sha(frame) == sha(frame.set_axis([7, 8, 9])) == sha(frame.reset_index(drop=True))
    assert sha(frame) != sha(frame.sort_values("a"))
    seen = {sha(frame)}
    for index in (
        pd.Index([7, 8, 9], name="id"),
        pd.Index(["x", "y", "z"]),
        pd.date_range("2020", periods=3),
        pd.date_range("2021", periods=3),
        pd.MultiIndex.from_tuples([(1, 2), (1, 3), (2, 2)]),
    ):
        found = sha(frame.set_axis(index))
        assert found not in seen
        seen.add(found)
    named = frame.set_axis(pd.Index([7, 8, 9], name="id"))
    assert sha(named) == sha(named.reset_index())


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(["<f8", ">f8", "<f4", "<f2", "<i2", ">u4", "|b1", "<c16", ">c8", "<M8[ns]", "<U3", "S2"]),
    st.lists(st.integers(1, 4), max_size=3),
    st.data(),
)
def test_arrays_by_values_shape_and_type(dtype, shape, data):
    seed = data.draw(st.integers(0, 2**32 - 1))
    array = np.random.default_rng(seed).integers(0, 9, shape).astype(dtype)
    digest = digest_dataset(array)
    assert digest.schema[0].dtype == array.dtype.name
    other = "<" if array.dtype.byteorder == ">" else ">"
    assert sha(array.astype(array.dtype.newbyteorder(other))) == digest.sha256
    if array.ndim:
        assert sha(np.asfortranarray(array)) == digest.sha256
        assert sha(np.repeat(array, 2, axis=0)[::2]) == digest.sha256
        assert sha(array.reshape(1, *array.shape)) != digest.sha256
        changed = array.copy()
        at = tuple(data.draw(st.integers(0, size - 1)) for size in shape)
        changed[at] = np.zeros(1, dtype)[0] if array[at] else np.ones(1, dtype)[0]
        assert sha(changed) != digest.sha256


def test_a_nan_is_a_nan_and_a_sign_of_zero_counts():
    quiet, signed = (np.array([bits, 0], np.uint64).view(np.float64) for bits in (0x7FF8 << 48, 0xFFFC_0000_0000_0001))
    signed = np.array([0xFFFC_0000_0000_0001, 0], np.uint64).view(np.float64)
    assert quiet.tobytes() != signed.tobytes()
    assert sha(quiet) == sha(signed)
    assert sha(pa.table({"a": quiet})) == sha(pa.table({"a": signed})) == sha(pl.DataFrame({"a": signed}))
    assert sha(np.array([1.0])) != sha(np.array([np.nan]))
    assert sha(np.array([0.0])) != sha(np.array([-0.0]))
    assert sha(quiet.view(np.complex128)) == sha(signed.view(np.complex128)) != sha(quiet)


def test_ordered_categories_count_with_their_order():
    def of(categories, **more):
        return sha(pd.DataFrame({"a": pd.Categorical(["lo", "hi"], categories=categories, **more)}))

    assert of(["lo", "hi"], ordered=True) != of(["hi", "lo"], ordered=True)
    assert of(["lo", "hi"]) == of(["hi", "lo"])
    enum = pl.DataFrame({"a": pl.Series(["lo", "hi"], dtype=pl.Enum(["lo", "hi"]))})
    assert sha(enum) == of(["lo", "hi"], ordered=True)
    parts = [pa.DictionaryArray.from_arrays([0], names, ordered=True) for names in (["a", "b"], ["b", "a"])]
    with pytest.raises(InputError, match="unify_dictionaries"):
        sha(pa.table({"a": pa.chunked_array(parts)}))


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (pd.DataFrame({"fine": [1], "odd": [object()]}), "odd"),
        (pd.DataFrame({"odd": ["a", 1]}), "odd"),
        (pd.DataFrame({"odd": ["a", b"a"]}), "odd"),
        (pd.DataFrame({"odd": [True, None]}), "odd"),
        (pd.DataFrame({"odd": [[1], [2]]}), "odd"),
        (pd.DataFrame({"odd": pd.period_range("2020", periods=2, freq="D")}), "odd"),
        (pd.DataFrame({"odd": pd.arrays.SparseArray([0, 1])}), "odd"),
        (pd.DataFrame({"odd": [1j]}), "odd"),
        (pd.DataFrame({("a", "b"): [1]}), "('a', 'b')"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' twice"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "'1' twice"),
        (pl.DataFrame({"odd": pl.Series([object()], dtype=pl.Object)}), "odd"),
        (pa.table({"odd": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8()))}), "odd"),
        (np.array([object()]), "object"),
        (np.array([1], np.longdouble), "longdouble" if np.longdouble(1).dtype.name == "longdouble" else "float128"),
        (np.ma.masked_array([1], [True]), "MaskedArray"),
        (np.zeros(2, [("x", "f8", 2)]), "x"),
        (pl.LazyFrame({"a": [1]}), "collect"),
        ([1, 2], "builtins.list"),
        ({}, "empty"),
        ({1: np.zeros(1), "1": np.zeros(1)}, "differ"),
    ],
)
def test_what_has_no_defined_content_is_refused_by_name(data, named):
    with pytest.raises(InputError) as refused:
        digest_dataset(data)
    assert named in str(refused.value)


def test_row_10_001_counts(monkeypatch):
    """What a digest of the first 10,000 rows would miss, in each library."""
    monkeypatch.undo()
    values = np.arange(100_000, dtype="f8")
    changed = values.copy()
    changed[10_000] += 1e-9
    for make in (lambda v: v, lambda v: pd.DataFrame({"a": v}), lambda v: pl.DataFrame({"a": v}),
                 lambda v: pa.table({"a": v}), lambda v: {"x": v}):  # fmt: skip
        assert sha(make(values)) != sha(make(changed))
    assert sha(pd.DataFrame({"a": values})) == sha(pa.table({"a": values})) == sha(pl.DataFrame({"a": values}))


def test_files_folders_and_parquet(tmp_path):
    path = tmp_path / "data" / "a.parquet"
    path.parent.mkdir()
    table = pa.table(COMMON)
    pa.parquet.write_table(table, path, row_group_size=2)
    assert digest_dataset(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest_dataset(str(path.parent)).kind == "folder"
    assert sha(pa.dataset.dataset(path)) == sha(pa.parquet.read_table(path)) == sha(pl.read_parquet(path)) == sha(table)


def test_the_document_says_what_was_digested():
    digest = digest_dataset({"y": pa.table({"a": [1, 2]}), "x": np.zeros((2, 3), "f4")})
    assert hashlib.sha256(digest.document).hexdigest() == digest.sha256
    assert [(column.name, column.dtype) for column in digest.schema] == [("x", "float32"), ("y/a", "int64")]
    told = json.loads(digest.document)
    assert told["type"] == str(DATASET)
    assert told["parts"]["x"] == {"kind": "array", "rows": 2, "sha256": sha(np.zeros((2, 3), "f4"))}
    table = json.loads(digest_dataset(pd.DataFrame({"a": ["x"]})).document)
    assert (table["rows"], [column["dtype"] for column in table["columns"]]) == (1, ["string"])


def test_the_encoding_is_the_documented_one():
    """Built by hand as docs/formats.md says: nulls, lengths and values of each level, from the outside in."""
    column = pa.array([["a", None], None, [], ["bc"]], pa.list_(pa.string()))

    def h(data):
        return hashlib.sha256(data).digest()

    def u64(*numbers):
        return b"".join(number.to_bytes(8, "little") for number in numbers)

    expected = h(h(u64(1)) + h(u64(2, 0, 1)) + h(b"") + h(u64(1)) + h(u64(1, 2)) + h(b"abc")).hex()
    [found] = digest_dataset(pa.table({"a": column})).schema
    assert (found.dtype, found.sha256) == ("list[string]", expected)


def test_memory_does_not_grow_with_the_data():
    """Arrow's and Python's own allocations while digesting 64 MB; NumPy's are seen by tracemalloc."""
    import tracemalloc

    values = np.arange(8_000_000, dtype="f8")
    values[::1000] = np.nan
    for data in (values, pa.table({"a": values}), pd.DataFrame({"a": values}), pl.DataFrame({"a": values})):
        datasets._ROWS = 1 << 16
        before = pa.total_allocated_bytes()
        tracemalloc.start()
        digest_dataset(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 40 << 20
        assert pa.total_allocated_bytes() - before < 1 << 20


def test_examples_in_the_docstring_hold():
    assert doctest.testmod(datasets).failed == 0
