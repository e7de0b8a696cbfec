"""Hash trees of renewals, and which renewals keep a record when a hash is broken: no chain, no files."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.record import Domain, Kind, RecordKey, SubjectType
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify.outcomes import Outcome
from blockchaintracer.extras.renewal.as_of import read_date
from blockchaintracer.extras.renewal.hash_tree import HashTree, hashed
from blockchaintracer.extras.renewal.judge import Renewal, WitnessedTime, checks_of, parse_broken
from blockchaintracer.extras.renewal.renewal_file import RenewalFile
from tests.support.bundle_evidence import renewal_of

pytestmark = pytest.mark.fast
REGISTRY, AUTHOR = "0x" + "12" * 20, "0x" + "34" * 20
CHAIN = frozenset({"keccak256", "sha3-256"})
STAMP = frozenset({"sha256"})
RECORD = RecordView(id="0x" + "ab" * 32, key=RecordKey(1, AUTHOR, SubjectType.FILE, "cd" * 32, Kind.DATASET, "ef" * 32))


def leaf(number: int) -> str:
    return f"object/{number:064x}"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 13])
def test_both_roots_are_those_of_the_documented_tree(count: int) -> None:
    """Computed a second way, from the top: RFC 9162's tree, whose left part is the largest full one."""
    contents = {leaf(number): bytes([number]) for number in range(count)}

    def root(names: list[str], algorithm: str) -> bytes:
        def hash_(data: bytes) -> bytes:
            return hashlib.new(algorithm, data).digest()

        if len(names) == 1:
            return hash_(b"\0" + names[0].encode() + b"\0" + hash_(contents[names[0]]))
        half = 1 << (len(names) - 1).bit_length() - 1
        return hash_(b"\1" + root(names[:half], algorithm) + root(names[half:], algorithm))

    tree = HashTree({name: hashed([data]) for name, data in reversed(contents.items())})
    assert tree.roots == (root([*contents], "sha512"), root([*contents], "sha3_256"))
    assert HashTree.parse(tree.to_bytes()) == tree


def test_a_tree_has_one_form() -> None:
    tree = HashTree({leaf(number): hashed([b"x"]) for number in range(3)}, (leaf(9), leaf(7)))
    data = tree.to_bytes()
    lines = data.splitlines(keepends=True)
    assert HashTree.parse(data).missing == (leaf(7), leaf(9))
    for wrong in (
        b"".join([lines[0], lines[2], lines[1], *lines[3:]]),
        b"".join([*lines[:2], lines[1], *lines[2:]]),
        b"".join([*lines[:4], lines[5], lines[4]]),
        b"".join([lines[0], lines[4], *lines[1:4]]),
        data + f"missing {leaf(1)}\n".encode(),
        data[:-1],
        lines[0],
        data.replace(b"object/", b"other/", 1),
        data.replace(b"\n", b"\r\n"),
        b"\xff" + data,
    ):
        with pytest.raises(InputError):
            HashTree.parse(wrong)
    with pytest.raises(UnknownVersion):
        HashTree.parse(data.replace(b":v1 ", b":v2 ", 1))


def made(tree: HashTree, *records: str, group: int = 1) -> RenewalFile:
    """A renewal's file that nobody recorded."""
    return renewal_of(Domain(5, REGISTRY), tree, records, group, AUTHOR)


def test_a_file_whose_parts_do_not_fit_is_refused() -> None:
    file = made(HashTree({leaf(1): hashed([b"one"])}), RECORD.id)
    assert RenewalFile.parse(file.to_bytes(), "it") == file
    other = HashTree({leaf(1): hashed([b"two"])})
    for wrong in (
        replace(file, tree=other),
        replace(file, tree=HashTree(file.tree.leaves, (leaf(2),))),
        replace(file, manifest=made(other, RECORD.id).manifest),
        replace(file, key=replace(file.key, subject="00" * 32)),
        replace(file, key=replace(file.key, parents=())),
        replace(file, key=replace(file.key, kind=Kind.DOCUMENT)),
    ):
        with pytest.raises(InputError):
            RenewalFile.parse(wrong.to_bytes(), "it")
    with pytest.raises(InputError, match="canonical"):
        RenewalFile.parse(file.to_bytes() + b"\n", "it")


def renewal(file: RenewalFile, *times: WitnessedTime, **more: object) -> Renewal:
    fields = {"same": (leaf(1),), "different": (), "left_out": (), "missing": (), **more}
    return Renewal(file.id, RECORD.id, file.key.group, AUTHOR, times, file=file, **fields)  # type: ignore[arg-type]


def chain(day: str) -> WitnessedTime:
    return WitnessedTime(read_date(f"{day}T00:00:00Z"), CHAIN, "the chain", ("sha3-256",))


TOKEN = {f"witness/{'5' * 64}": hashed([b"what an authority signed"])}


def stamp(day: str) -> WitnessedTime:
    return WitnessedTime(read_date(f"{day}T00:00:00Z"), STAMP, "an authority", proofs=TOKEN)


FIRST = made(HashTree({leaf(1): hashed([b"one"])}), RECORD.id)
OF_FIRST = {name: hashed([data]) for name, data in FIRST.parts.items()}
SECOND = made(HashTree({leaf(1): hashed([b"one"]), **OF_FIRST, **TOKEN}), RECORD.id)


@pytest.mark.parametrize(
    ("renewals", "broken", "counts"),
    [
        ([], ["sha256:2041-01-01"], False),
        ([renewal(FIRST, chain("2040-12-31"))], ["sha256:2041-01-01"], True),
        # on the day itself it is too late
        ([renewal(FIRST, chain("2041-01-01"))], ["sha256:2041-01-01"], False),
        # an authority stamps the SHA-256 of the roots: it cannot save from a broken SHA-256
        ([renewal(FIRST, stamp("2040-01-01"))], ["sha256:2041-01-01"], False),
        ([renewal(FIRST, stamp("2040-01-01"))], ["keccak256:2041-01-01"], True),
        # the chain itself rests on Keccak-256
        ([renewal(FIRST, chain("2040-01-01"))], ["keccak256:2041-01-01"], False),
        # SHA3-256 is the same permutation
        ([renewal(FIRST, chain("2040-01-01"))], ["sha256:2041-01-01", "sha3-256:2039-01-01"], False),
        (
            [renewal(FIRST, stamp("2040-01-01"), chain("2040-01-01"))],
            ["sha256:2041-01-01", "keccak256:2043-01-01"],
            False,
        ),
        # renewed once more by what holds when the first way breaks
        (
            [renewal(FIRST, chain("2040-01-01")), renewal(SECOND, chain("2042-01-01"))],
            ["sha256:2041-01-01", "sha512:2042-06-01"],
            True,
        ),
        # what the second does not cover is not carried on by it
        (
            [renewal(FIRST, stamp("2036-01-01")), renewal(FIRST, chain("2036-01-01"))],
            ["keccak256:2038-01-01", "sha512:2038-01-01"],
            False,
        ),
        ([renewal(FIRST, chain("2040-01-01"), different=(leaf(2),))], ["sha256:2041-01-01"], False),
        ([renewal(FIRST, chain("2040-01-01"), left_out=(leaf(2),))], ["sha256:2041-01-01"], False),
        ([renewal(FIRST, chain("2040-01-01"), retracted_at=1)], ["sha256:2041-01-01"], False),
        ([renewal(FIRST)], ["sha256:2041-01-01"], False),
        # a hash that the record does not rest on
        ([], ["sha512:2020-01-01"], True),
    ],
)  # fmt: skip
def test_a_record_counts_only_if_it_was_renewed_before_a_break(
    renewals: list[Renewal], broken: list[str], counts: bool
) -> None:
    checks = checks_of(RECORD, renewals, parse_broken(broken))
    failed = [check for check in checks if check.name.startswith("algorithm") and check.verdict is Outcome.FAIL]
    assert bool(failed) is not counts, checks


def test_a_second_renewal_goes_on_where_the_first_breaks() -> None:
    """The stamp of 2036 rests on SHA-256 and counts for the break of Keccak-256 in 2038 until SHA-256 breaks in 2045.
    The second has all that the first commits to, and an authority of another hash stamped it in 2044."""
    other = WitnessedTime(read_date("2044-01-01T00:00:00Z"), frozenset({"sha512"}), "an authority")
    both = parse_broken(["keccak256:2038-01-01", "sha256:2045-01-01"])
    first, second = renewal(FIRST, stamp("2036-01-01")), renewal(SECOND, other)
    assert not any(check.verdict is Outcome.FAIL for check in checks_of(RECORD, [first, second], both))
    # without the token the stamp of 2036 could be forged from 2045 on
    blind = renewal(made(HashTree({leaf(1): hashed([b"one"]), **OF_FIRST}), RECORD.id), other)
    assert any(check.verdict is Outcome.FAIL for check in checks_of(RECORD, [first, blind], both))
    unproven = renewal(FIRST, replace(stamp("2036-01-01"), proofs={}))
    assert any(check.verdict is Outcome.FAIL for check in checks_of(RECORD, [unproven, second], both))
    apart = renewal(made(HashTree({leaf(1): hashed([b"one"])}, (leaf(5),)), RECORD.id), other)
    assert any(check.verdict is Outcome.FAIL for check in checks_of(RECORD, [first, apart], both))
    assert any(check.verdict is Outcome.FAIL for check in checks_of(RECORD, [first], both))


def test_what_another_group_says_of_a_content_decides_nothing() -> None:
    for group, verdict in ((1, Outcome.FAIL), (2, Outcome.UNKNOWN)):
        it = replace(renewal(FIRST, chain("2030-01-01"), different=(leaf(1),), same=()), group=group)
        (check,) = checks_of(RECORD, [it], {})
        assert check.verdict is verdict


@pytest.mark.parametrize(
    "text",
    [
        "sha256",
        "md5:2041-01-01",
        "sha256:",
        "sha256:soon",
        "sha256:2041-01-01T00:00:00",
        "sha256:0001-01-01T00:00:00+14:00",
    ],
)
def test_a_break_is_named_by_algorithm_and_date(text: str) -> None:
    with pytest.raises(InputError, match="expected"):
        parse_broken([text])
