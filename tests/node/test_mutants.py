"""The mutants of a small contract, all of them, and what becomes of results when a test changes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.artifacts import ROOT

sys.path.insert(0, str(ROOT / "tools"))

import mutate
import results
from mutants import Mutant, mutants

SMALL = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;
enum Colour { Red, Green }
contract Small { // Ä: two bytes, and the compiler counts bytes
    error Full(uint256 one, uint256 other);
    event Added(uint256 amount);
    uint256 private constant MOST = 3;
    uint256 private constant LEAST = 1;
    Colour private _colour;
    uint256 private _count;
    modifier limited() { if (_count == MOST) revert Full(_count, MOST); _; }
    function add(uint256 amount) external limited returns (bool) {
        // the operators of this comment, && and <, are none
        if (amount < 1 || (_colour == Colour.Red)) return false;
        _count += amount;
        emit Added(amount);
        assembly { amount := add(amount, 0x20) }
        return true;
    }
}
"""

EXPECTED = """
7 MOST: uint256 private constant MOST = 3 -> uint256 private constant MOST = 0
7 MOST: uint256 private constant MOST = 3 -> uint256 private constant MOST = 2
7 MOST: uint256 private constant MOST = 3 -> uint256 private constant MOST = 4
8 LEAST: uint256 private constant LEAST = 1 -> uint256 private constant LEAST = 0
8 LEAST: uint256 private constant LEAST = 1 -> uint256 private constant LEAST = 2
11 limited: _count == MOST -> false
11 limited: _count == MOST -> true
11 limited: _count == MOST -> _count != MOST
11 limited: _count == MOST -> _count == LEAST
11 limited: Full(_count, MOST) -> Full(MOST, _count)
11 limited: Full(_count, MOST) -> Full(_count, LEAST)
12 add: limited -> nothing
14 add: amount < 1 || (_colour == Colour.Red) -> (_colour == Colour.Red)
14 add: amount < 1 || (_colour == Colour.Red) -> amount < 1
14 add: amount < 1 || (_colour == Colour.Red) -> false
14 add: amount < 1 || (_colour == Colour.Red) -> true
14 add: amount < 1 -> amount <= 1
14 add: amount < 1 -> amount >= 1
14 add: amount < 1 -> amount < 0
14 add: amount < 1 -> amount < 2
14 add: amount < 1 || (_colour == Colour.Red) -> amount < 1 && (_colour == Colour.Red)
14 add: _colour == Colour.Red -> _colour != Colour.Red
14 add: _colour == Colour.Red -> _colour == Colour.Green
14 add: return false -> return true
15 add: _count += amount -> nothing
15 add: _count += amount -> _count -= amount
16 add: emit Added(amount) -> nothing
17 add: amount := add(amount, 0x20) -> nothing
17 add: add(amount, 0x20) -> sub(amount, 0x20)
17 add: add(amount, 0x20) -> add(amount, 0x1f)
17 add: add(amount, 0x20) -> add(amount, 0x21)
18 add: return true -> nothing
18 add: return true -> return false
"""


@pytest.fixture(scope="module")
def small() -> mutate.Sources:
    return mutate.Sources({"contracts/Small.sol": SMALL.encode()})


def all_of(sources: mutate.Sources) -> list[Mutant]:
    return mutants("contracts/Small.sol", sources.texts, sources.trees)


def test_every_small_change_is_made_once(small: mutate.Sources) -> None:
    found = all_of(small)
    assert [f"{mutant.line} {mutant.name}" for mutant in found] == EXPECTED.strip().splitlines()
    texts = {mutant.apply(small.texts[mutant.path]) for mutant in found}
    assert len(texts) == len(found)
    assert SMALL.encode() not in texts


def test_what_a_mutant_says_is_what_it_does(small: mutate.Sources) -> None:
    (mutant,) = (mutant for mutant in all_of(small) if mutant.name.endswith("-> _count == LEAST"))
    assert mutant.apply(SMALL.encode()).decode() == SMALL.replace("_count == MOST", "_count == LEAST")


def test_a_mutant_is_compiled(small: mutate.Sources) -> None:
    def code(mutant: Mutant) -> list[str]:
        text = mutant.apply(small.texts[mutant.path])
        return mutate.bytecode(small.part(mutant.path, shipped=True, text=text))

    by_name = {mutant.name: mutant for mutant in all_of(small)}
    changed, unused = (
        by_name["add: emit Added(amount) -> nothing"],
        by_name["LEAST: uint256 private constant LEAST = 1 -> uint256 private constant LEAST = 0"],
    )
    original = small.code("contracts/Small.sol", shipped=True)
    assert code(changed) != original
    assert code(unused) == original, "what nothing uses changes nothing"
    with pytest.raises(ValueError, match="ParserError"):
        code(changed._replace(text="nonsense"))


def test_a_result_holds_as_long_as_what_it_rests_on(
    small: mutate.Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (mutate, results):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(mutate, "FAST", ("tests/evm/property",))
    monkeypatch.setattr(mutate, "SLOW", ())
    folder = tmp_path / "tests" / "evm" / "property"
    folder.mkdir(parents=True)
    dead, alive, same = all_of(small)[:3]

    def write(name: str, text: str) -> None:
        (folder / name).write_text(text)
        results.imports.cache_clear()
        mutate._rests_on.cache_clear()

    def still_known(sources: mutate.Sources = small) -> list[Mutant]:
        known = mutate.Known(sources)
        return [mutant for mutant in (dead, alive, same) if known.find(mutant)]

    write("test_one.py", "from .machine import steps\n")
    write("test_other.py", "")
    write("machine.py", "steps = 1\n")
    write("unused.py", "")
    known = mutate.Known(small)
    known.judged(dead, "killed", "tests/evm/property/test_one.py::test_it")
    known.judged(alive, "survived", "")
    known.judged(same, "equivalent", "")
    assert still_known() == [dead, alive, same]
    write("unused.py", "changed = 1\n")
    assert still_known() == [dead, alive, same]
    write("test_other.py", "changed = 1\n")
    assert still_known() == [dead, same]
    write("machine.py", "steps = 2\n")
    assert still_known() == [same], "what its test imports counts, too"
    assert mutate.Known(small).killer(dead) == "tests/evm/property/test_one.py::test_it", "and is tried first"
    write("machine.py", "steps = 1\n")
    assert still_known() == [dead, same]
    other = mutate.Sources({"contracts/Small.sol": SMALL.replace("amount < 1", "amount < 9").encode()})
    assert not still_known(other), "of another source nothing is known"


def test_results_are_kept_by_several_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    one, other = results.Results("check"), results.Results("check")
    one.add("b", "killed", "digest of b")
    other.add("a", "survived", "digest of a")
    one.add("b", "survived", "digest of b")
    assert other.path.read_text() == '["a", "survived", "digest of a"]\n["b", "survived", "digest of b"]\n'
    assert one.of_today({"a": "digest of a", "b": "of now", "c": ""}) == {"a": ["survived"]}
    one.keep(["b", "c"])
    assert one.read() == {"b": ["survived", "digest of b"]}


def test_survivors_have_a_reason_and_exist() -> None:
    sources = mutate.Sources.in_the_tree()
    for path, name in mutate.explained():
        assert name in {mutant.name for mutant in mutants(path, sources.texts, sources.trees)}, (path, name)
    assert all(len(reason) > 20 for reason in mutate.explained().values())
