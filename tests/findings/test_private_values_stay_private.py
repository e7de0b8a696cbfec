"""Commitments to private values that are guessed, forged, moved, or kept in two versions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import rfc8785

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.private.disclose import disclose, kept_private, verify_disclosure
from blockchaintracer.lab.private.field_tree import Context, FieldTree, Opening, new_salt, place, root_of
from blockchaintracer.lab.recording.run import RunFacts, finish_run, start_run
from blockchaintracer.lab.recording.run_document import RunDocument
from tests.support.labs import second_lab

pytestmark = pytest.mark.node

if TYPE_CHECKING:
    from blockchaintracer.lab.drafts import Recorded
    from blockchaintracer.lab.lab import Lab

CONTEXT = Context("31337", "0x" + "11" * 20, 1, "0x" + "22" * 20)
SUBJECT = "ab" * 32


def record(lab: Lab, folder: Path, **private: Any) -> Recorded:
    document = RunDocument.from_plain({"schema": 1, "name": "run", "private": {"parameters": private}})
    return finish_run(lab, start_run(lab, folder), RunFacts(document=document, folder=folder))


def private_of(lab: Lab, recorded: Recorded) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.store.get_bytes(recorded.manifest))["predicate"]["private"]
    return found


def test_a_value_of_two_cannot_be_guessed_from_all_that_is_public(lab: Lab, tmp_path: Path) -> None:
    """What a stranger has: manifest, key, and a disclosure of another value with its siblings. Whatever of it stands in
    for the salt, the leaf of neither guess, true or false, is among what is public."""
    recorded = record(lab, tmp_path, passed=True, other=1)
    disclose(lab, recorded.id, ["other"], tmp_path / "other.json")
    public = json.loads((tmp_path / "other.json").read_text())
    [shown] = public["fields"]
    tree = kept_private(lab.home, private_of(lab, recorded)["root"])
    nodes = {*shown["path"], tree.root}
    salts = {*nodes, shown["salt"], recorded.id, recorded.manifest, recorded.subject, "00" * 32}
    for guess in (True, False):
        for salt in salts:
            leaf = {
                "type": "urn:blockchaintracer:private-field:v1",
                **tree.context.as_json(),
                "subject": recorded.subject,
                "field": "parameters.passed",
                "value": guess,
                "salt": salt,
            }
            assert hashlib.sha256(b"\0" + rfc8785.dumps(leaf)).hexdigest() not in nodes
    # the same values recorded again look like others: nothing links the two
    again = record(lab, tmp_path, passed=True, other=1)
    assert private_of(lab, again)["root"] != tree.root
    salts_used = [
        one.salt for one in (*tree.openings, *kept_private(lab.home, private_of(lab, again)["root"]).openings)
    ]
    assert len({*salts_used}) == 4
    assert all(len(bytes.fromhex(salt)) == 32 for salt in salts_used)
    # an empty place looks like a taken one
    assert len({one for level in tree._levels for one in level}) == 2 * tree.leaves - 1


def test_a_shared_salt_is_refused() -> None:
    """Whoever is shown one value would have the salt of the other, and few guesses to make."""
    salt = new_salt()
    shared = [Opening("parameters.a", 1, salt), Opening("parameters.b", True, salt)]
    with pytest.raises(InputError, match="a salt of its own") as refused:
        FieldTree(CONTEXT, SUBJECT, shared, 1024)
    assert salt not in str(refused.value)
    for short in ("", "00", salt[:-2], salt.upper() + "A", "zz" * 32):
        with pytest.raises(InputError, match="salt of 32"):
            FieldTree(CONTEXT, SUBJECT, [Opening("parameters.a", 1, short)], 1024)


def test_a_shared_salt_in_a_disclosure_is_refused(lab: Lab, tmp_path: Path) -> None:
    recorded = record(lab, tmp_path, a=1, b=2)
    disclose(lab, recorded.id, ["a", "b"], tmp_path / "both.json")
    data = json.loads((tmp_path / "both.json").read_text())
    data["fields"][1]["salt"] = data["fields"][0]["salt"]
    (tmp_path / "both.json").write_text(json.dumps(data))
    report = verify_disclosure(lab, tmp_path / "both.json")
    assert any("a salt of its own" in check.detail for check in report.failed)


def test_an_inner_node_is_no_leaf() -> None:
    """The data of an inner node are no data of a leaf: leaves and nodes are hashed under different first bytes."""
    tree = FieldTree.of(CONTEXT, SUBJECT, {"parameters.a": 1})
    level = tree._levels[0]
    inner = tree._levels[1][0]
    assert hashlib.sha256(b"\1" + level[0] + level[1]).digest() == inner
    assert hashlib.sha256(b"\0" + level[0] + level[1]).digest() != inner
    assert hashlib.sha256(level[0] + level[1]).digest() != inner
    # a path that is one step short would need a leaf that hashes to an inner node
    opening, path = tree.opening("parameters.a"), tree.path("parameters.a")
    assert root_of(CONTEXT, SUBJECT, opening, path) == tree.root
    for cut in range(len(path)):
        assert root_of(CONTEXT, SUBJECT, opening, path[cut + 1 :]) != tree.root
        assert root_of(CONTEXT, SUBJECT, opening, path[:cut]) != tree.root


def test_a_name_cannot_be_swapped() -> None:
    tree = FieldTree.of(CONTEXT, SUBJECT, {"parameters.a": 1, "parameters.b": 1})
    a, b = tree.opening("parameters.a"), tree.opening("parameters.b")
    for opening in (replace(a, field="parameters.b"), replace(b, field="parameters.a"), replace(a, field="metrics.a")):
        for path in (tree.path("parameters.a"), tree.path("parameters.b")):
            assert root_of(CONTEXT, SUBJECT, opening, path) != tree.root


def test_two_values_under_one_name_have_one_place() -> None:
    """A lab that commits to 0.1 and to 0.2 as the same parameter, to show whichever suits later, can show only one: any
    leaf elsewhere than at the name's own place leads to another root."""
    with pytest.raises(InputError, match="a place of its own"):
        FieldTree(
            CONTEXT, SUBJECT, [Opening("parameters.a", 0.1, new_salt()), Opening("parameters.a", 0.2, new_salt())], 1024
        )
    # the lab writes its own tree with the second value at a free place
    tree = FieldTree.of(CONTEXT, SUBJECT, {"parameters.a": 0.1})
    second = Opening("parameters.a", 0.2, new_salt())
    own, other = place(CONTEXT, SUBJECT, "parameters.a", 1024), 0
    other = (own + 1) % 1024
    leaf = {"type": "urn:blockchaintracer:private-field:v1", **CONTEXT.as_json(), "subject": SUBJECT}
    leaf |= {"field": second.field, "value": second.value, "salt": second.salt}
    level = list(tree._levels[0])
    level[other] = hashlib.sha256(b"\0" + rfc8785.dumps(leaf)).digest()
    paths: dict[int, list[str]] = {own: [], other: []}
    at = {own: own, other: other}
    while len(level) > 1:
        for start in at:
            paths[start].append(level[at[start] ^ 1].hex())
            at[start] //= 2
        pairs = range(0, len(level), 2)
        level = [hashlib.sha256(b"\1" + level[index] + level[index + 1]).digest() for index in pairs]
    root = level[0].hex()
    assert root_of(CONTEXT, SUBJECT, tree.opening("parameters.a"), paths[own]) == root
    assert root_of(CONTEXT, SUBJECT, second, paths[other]) != root


def test_a_disclosure_fits_no_other_record(lab: Lab, tmp_path: Path) -> None:
    """Neither another run of the lab, nor a run of another lab that copied the first one's manifest."""
    first, second = record(lab, tmp_path, a=1), record(lab, tmp_path, a=1)
    disclose(lab, first.id, ["a"], tmp_path / "first.json")
    data = json.loads((tmp_path / "first.json").read_text())
    moved = tmp_path / "moved.json"
    moved.write_text(json.dumps(data | {"record": second.id}))
    assert verify_disclosure(lab, moved).failed
    other_manifest = json.loads(lab.store.get_bytes(second.manifest))
    moved.write_text(json.dumps(data | {"record": second.id, "manifest": other_manifest}))
    assert [check.name for check in verify_disclosure(lab, moved).failed] == ["private parameters.a"]

    from blockchaintracer.core.manifest import parse_manifest
    from blockchaintracer.lab.recording.commit import commit

    thief = second_lab(lab, tmp_path / "thief")
    copied = parse_manifest(lab.store.get_bytes(first.manifest))
    stolen = commit(thief, copied, ())
    assert (stolen.manifest, stolen.subject) == (first.manifest, first.subject)
    moved.write_text(json.dumps(data | {"record": stolen.id}))
    report = verify_disclosure(thief, moved)
    assert [check.name for check in report.failed] == ["private parameters.a"]
    assert verify_disclosure(thief, tmp_path / "first.json").verified
