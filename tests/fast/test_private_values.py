"""Trees of private values, and disclosures of some."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.lab.private.disclose import read_disclosure
from blockchaintracer.lab.private.field_tree import Context, FieldTree, root_of

CONTEXT = Context("31337", "0x" + "11" * 20, 1, "0x" + "22" * 20)


SUBJECT = "ab" * 32


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
        min_size=1,
        max_size=24,
    )
)
def test_every_value_of_any_tree_is_provable_and_kept(values):
    tree = FieldTree.of(CONTEXT, SUBJECT, values)
    again = FieldTree.from_json(json.loads(json.dumps(tree.as_json())))
    assert again.root == tree.root
    for name in values:
        assert root_of(CONTEXT, SUBJECT, tree.opening(name), tree.path(name)) == tree.root


def test_how_many_leaves_tells_little():
    counts = [FieldTree.of(CONTEXT, SUBJECT, {str(n): n for n in range(k)}).leaves for k in (1, 2, 5, 12)]
    assert set(counts) <= {1024, 2048}
    with pytest.raises(InputError):
        FieldTree.of(CONTEXT, SUBJECT, {str(n): n for n in range(257)})
    with pytest.raises(InputError):
        FieldTree.of(CONTEXT, SUBJECT, {})


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=200) | st.from_regex(rb'\{"type":"urn:blockchaintracer:disclosure:v1".{0,80}\}', fullmatch=True)
)
def test_any_file_is_a_disclosure_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(data)
    with pytest.raises(BlockchainTracerError):
        read_disclosure(path)
