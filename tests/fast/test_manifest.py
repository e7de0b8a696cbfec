"""Manifests: one form of bytes for one content, every rule kept when built and when read, errors that name fields."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blockchaintracer.core.digest import check_distinct
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import (
    MAX_BYTES,
    Artifact,
    Code,
    ContentPredicate,
    Manifest,
    Metric,
    NotBefore,
    Parent,
    RecordPredicate,
    RunEnvironment,
    RunInput,
    RunOutput,
    RunPredicate,
    Tolerance,
    artifacts_of,
    check_against_key,
    parse_manifest,
)
from blockchaintracer.core.manifest.predicates import ReferencePredicate, plain_name
from blockchaintracer.core.manifest.statement import predicate_type
from blockchaintracer.core.plain_json import plain
from blockchaintracer.core.record import Kind, Link, RecordKey, Relation, SubjectType, label

RUN_ID = "7d444840-9dc0-41d1-b245-5ffdce74fad2"
ZERO_CID = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"


def artifact(path: str = "out/model.bin", **changed: Any) -> Artifact:
    return Artifact(
        **{"path": path, "size": 3, "sha256": "cd" * 32, "cid": ZERO_CID, "cid_profile": "unixfs-v1-2025", **changed}
    )


def file_content(**changed: Any) -> ContentPredicate:
    return ContentPredicate(
        **{"subject_type": "file", "size": 0, "cid": ZERO_CID, "cid_profile": "unixfs-v1-2025", **changed}
    )


def run_predicate(**changed: Any) -> RunPredicate:
    return RunPredicate(
        **{
            "run_id": RUN_ID,
            "name": "first run",
            "status": "completed",
            "parameters": {"lr": 0.1, "layers": [64, 32], "optimiser": {"name": "adam"}},
            "metrics": {"accuracy": Metric(value=0.97, tolerance=Tolerance(absolute=0.01))},
            "seeds": {"numpy": 7},
            "parents": [Parent(record="bb" * 32, relation=8), Parent(record="aa" * 32, relation=1)],
            "inputs": [RunInput(record="aa" * 32, relation=1, sha256="ee" * 32, path="data.csv")],
            "outputs": [RunOutput(role="model", artifact=artifact())],
            **changed,
        }
    )


def is_name(text: str) -> bool:
    try:
        return plain_name(text) == text
    except ValueError:
        return False


def edited(manifest: Manifest, *path: str | int, value: Any) -> bytes:
    data = json.loads(manifest.to_bytes())
    at = data
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


RUN = Manifest.of(Kind.RUN, run_predicate())
LINES = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30).filter(
    lambda text: text == text.strip()
)
NAMES = LINES.map(lambda text: "".join(filter(str.isalnum, unicodedata.normalize("NFC", text))) or "n").filter(is_name)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(blacklist_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(blacklist_categories=("Cs",))), inner, max_size=4)
    ),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


# --- bytes -----------------------------------------------------------------------------------------------------------


@given(st.dictionaries(NAMES, PLAIN, max_size=5), st.dictionaries(NAMES, st.floats(-1e308, 1e308), max_size=4))
@example({"loud": 1e20, "mass": 1.989e30, "tiny": 5e-324, "zero": -0.0}, {"rate": 123456789012345680.0})
@settings(max_examples=150, deadline=None)
def test_a_run_reads_back_as_it_was_written(parameters: dict[str, Any], metrics: dict[str, float]) -> None:
    predicate = run_predicate(parameters=parameters, metrics={name: Metric(value=v) for name, v in metrics.items()})
    manifest = Manifest.of(Kind.RUN, predicate)
    data = manifest.to_bytes()
    again = parse_manifest(data)
    assert again == manifest
    assert again.to_bytes() == data == rfc8785.dumps(json.loads(data, parse_int=float))
    assert again.predicate.parameters == parameters


def test_digest_and_address_are_those_of_the_bytes() -> None:
    data = RUN.to_bytes()
    digest = hashlib.sha256(data).digest()
    assert RUN.digest() == digest.hex()
    assert RUN.cid() == "b" + base64.b32encode(b"\x01\x55\x12\x20" + digest).decode().lower().rstrip("=")


@given(st.randoms(use_true_random=False), st.lists(st.tuples(st.sampled_from(["aa", "bb", "cc"]), st.integers(1, 9))))
@settings(max_examples=50, deadline=None)
def test_equal_content_gives_equal_bytes_in_whatever_order_it_is_given(
    random: Any, links: list[tuple[str, int]]
) -> None:
    parents = [Parent(record=digits * 32, relation=relation) for digits, relation in links]
    attachments = [artifact(path) for path in ("a", "b/c", "z")]
    values = {"x": 1, "y": {"b": 2, "a": 1}}

    def build() -> Manifest:
        return Manifest.of(
            Kind.RESULT,
            RecordPredicate(
                name="r", subject_type="file", parents=parents, attachments=attachments, values=dict(values)
            ),
            "ab" * 32,
        )

    first = build()
    random.shuffle(parents)
    random.shuffle(attachments)
    values["x"] = values.pop("x")
    assert build().to_bytes() == first.to_bytes()


def test_content_names_no_file_time_or_machine() -> None:
    data = json.loads(Manifest.of(Kind.DATASET, file_content(), "ab" * 32).to_bytes())
    assert data["subject"] == [{"name": "_", "digest": {"sha256": "ab" * 32}}]
    assert data["predicateType"] == "urn:blockchaintracer:predicate:dataset:v1"
    assert set(data["predicate"]) == {"subjectType", "size", "cid", "cidProfile"}
    named = Manifest.of(Kind.DATASET, file_content(name="survey"), "ab" * 32)
    assert named.subject[0].name == "survey"
    assert named.digest() != Manifest.of(Kind.DATASET, file_content(), "ab" * 32).digest()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"\n",
        lambda data: b" " + data,
        lambda data: data.replace(b'"first run"', b'"first\\u0020run"'),
        lambda data: data.replace(b'"lr":0.1', b'"lr":0.10'),
        lambda data: data.replace(b'"seeds":{"numpy":7}', b'"seeds":{"numpy":7.0}'),
        lambda data: data.replace(b'"status":"completed"', b'"startedAt":null,"status":"completed"'),
        lambda data: json.dumps(json.loads(data)).encode(),
        lambda data: data.replace(b"aa" * 32, b"AA" * 32),
        lambda data: data.replace(b'"outputs"', b'"outputs" '),
    ],
)
def test_other_bytes_of_the_same_content_are_refused(change: Any) -> None:
    data = RUN.to_bytes()
    assert change(data) != data
    with pytest.raises(InputError, match="canonical"):
        parse_manifest(change(data))


def test_parents_out_of_order_are_not_canonical() -> None:
    parents = json.loads(RUN.to_bytes())["predicate"]["parents"]
    with pytest.raises(InputError, match="canonical"):
        parse_manifest(edited(RUN, "predicate", "parents", value=parents[::-1]))


def test_a_manifest_ends_at_one_mebibyte() -> None:
    room = MAX_BYTES - len(Manifest.of(Kind.RUN, run_predicate(parameters={"p": ""})).to_bytes())
    largest = Manifest.of(Kind.RUN, run_predicate(parameters={"p": "x" * room}))
    assert len(largest.to_bytes()) == MAX_BYTES
    assert parse_manifest(largest.to_bytes()) == largest
    with pytest.raises(InputError, match="at most 1048576 bytes"):
        Manifest.of(Kind.RUN, run_predicate(parameters={"p": "x" * (room + 1)})).to_bytes()
    with pytest.raises(InputError, match="at most 1048576 bytes"):
        parse_manifest(largest.to_bytes() + b" ")


# --- what is refused -------------------------------------------------------------------------------------------------


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"[" * 100_000)
@example(b'{"a":' * 5000 + b"1" + b"}" * 5000)
@example(b"9" * 5000)
@example(b"-" + b"9" * 5000)
@example(b'"\\ud800"')
@example(b"\xff\xfe{\x00}\x00")
@example(b"\xef\xbb\xbf{}")
@example(b"1e999")
@example(b"[]")
@example(b'{"predicate":{},"predicateType":7}')
@example(b'{"predicate":[],"predicateType":"urn:blockchaintracer:predicate:run:v1"}')
@settings(max_examples=150, deadline=None)
def test_bytes_from_anywhere_end_in_a_typed_error(data: bytes) -> None:
    with pytest.raises(InputError):
        parse_manifest(data)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_manifest_changed_anywhere_is_refused_or_is_another_one(data: st.DataObject) -> None:
    original = json.loads(RUN.to_bytes())
    places = list(leaves(original))
    path = data.draw(st.sampled_from(places))
    value = data.draw(PLAIN)
    try:
        found = parse_manifest(edited(RUN, *path, value=value))
    except InputError:
        return
    assert found.to_bytes() == edited(RUN, *path, value=value)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from leaves(item, (*path, key))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize(
    ("old", "field"),
    [
        ('"value":0.97', "predicate.metrics.accuracy.value"),
        ('"lr":0.1', "predicate.parameters.lr"),
        ('"numpy":7', "predicate.seeds.numpy"),
        ('"layers":[64,32]', "predicate.parameters.layers[1]"),
        ('"size":3', "predicate.outputs[0].artifact.size"),
    ],
)
def test_no_number_that_is_none(text: str, old: str, field: str) -> None:
    new = re.sub(r"-?[0-9.]+(?=\]?$)", text, old)
    data = RUN.to_bytes().decode()
    assert old in data
    with pytest.raises(InputError, match=re.escape(f"{field}: expected a finite number")):
        parse_manifest(data.replace(old, new).encode())


@given(
    st.lists(st.sampled_from(["a", "b c", 0, 1]), min_size=1, max_size=8), st.sampled_from([float("nan"), float("inf")])
)
def test_nan_is_text_wherever_it_stands(path: list[str | int], bad: float) -> None:
    value: Any = bad
    for step in reversed(path):
        value = {step: value} if isinstance(step, str) else [0] * step + [value]
    text = json.dumps(run_predicate(parameters={"p": value}).to_json()["parameters"])
    assert text == json.dumps({"p": value}).replace("NaN", '"NaN"').replace("Infinity", '"Infinity"')


@pytest.mark.parametrize("value", [2**53, -(2**53), 2**64, 10**400])
def test_integers_that_json_readers_round_are_refused(value: int) -> None:
    with pytest.raises(InputError, match=r"seeds\.numpy: expected an integer within"):
        run_predicate(seeds={"numpy": value})
    # 2^53 itself has one form as a double; what other readers would round has none
    with pytest.raises(InputError, match=r"predicate\.seeds\.numpy|canonical"):
        parse_manifest(RUN.to_bytes().replace(b'"numpy":7', b'"numpy":%d' % (value + (value > 0) - (value < 0))))
    assert run_predicate(seeds={"numpy": str(value)}).seeds == {"numpy": str(value)}


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="status: expected each key once"):
        parse_manifest(RUN.to_bytes().replace(b'"status"', b'"status":"failed","status"'))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("_type",), "https://in-toto.io/Statement/v0.1", "_type: expected"),
        (
            ("predicateType",),
            "urn:blockchaintracer:predicate:run:v2",
            "in version 2 of predicate:run; this program",
        ),
        (("predicateType",), "urn:blockchaintracer:predicate:Run:v1", "predicateType: expected"),
        (("predicateType",), "https://slsa.dev/provenance/v1", "predicateType: expected"),
        (("predicateType",), "urn:blockchaintracer:predicate:dataset:v1", "predicate.subjectType: expected a value"),
        (("predicate", "surprise"), 1, "predicate.surprise: expected no field of this name, got 1"),
        (("predicate", "runId"), RUN_ID.upper(), "predicate.runId: expected a random UUID"),
        (("predicate", "runId"), "7d444840-9dc0-11d1-b245-5ffdce74fad2", "predicate.runId: expected a random UUID"),
        (("predicate", "runId"), "00000000-0000-4000-8000-000000000000", "subject: expected the subject's digest"),
        (("predicate", "name"), "another", "subject: expected the subject's name"),
        (("predicate", "name"), "two\nlines", "predicate.name: expected a line"),
        (("predicate", "status"), "done", "predicate.status: expected 'completed', 'failed' or 'running', got 'done'"),
        (("predicate", "status"), "failed", "predicate.error: expected why the run failed, got nothing"),
        (("predicate", "error"), "why", "predicate.error: expected no error unless"),
        (("predicate", "startedAt"), "2026-01-01 00:00", "predicate.startedAt: expected a time as RFC 3339"),
        (("predicate", "startedAt"), "2026-02-30T00:00:00Z", "predicate.startedAt: expected a time as RFC 3339"),
        (("predicate", "inputs", 0, "relation"), 2, "predicate.inputs: expected every input among the parents"),
        (
            ("predicate", "parents", 0, "relation"),
            15,
            "predicate.parents[0].relation: expected the number of a relation",
        ),
        (("predicate", "parents", 0, "record"), "aa", "predicate.parents[0].record: expected 0x and 64 hex digits"),
        (("predicate", "outputs", 0, "artifact", "path"), "../x", "predicate.outputs[0].artifact.path: expected a rel"),
        (("predicate", "outputs", 0, "artifact", "size"), -1, "predicate.outputs[0].artifact.size: expected greater"),
        (("predicate", "outputs", 0, "artifact", "cid"), "Qm", "predicate.outputs[0].artifact.cid: expected a CID"),
        (
            ("predicate", "outputs", 0, "artifact", "cidProfile"),
            "x",
            "predicate.outputs[0].artifact.cidProfile: expected",
        ),
        (
            ("predicate", "metrics", "accuracy", "value"),
            "0.9",
            "predicate.metrics.accuracy.value: expected a valid number",
        ),
        (
            ("predicate", "metrics", "accuracy", "value"),
            True,
            "predicate.metrics.accuracy.value: expected a valid number",
        ),
        (
            ("predicate", "metrics", "accuracy", "tolerance", "absolute"),
            -1,
            "tolerance.absolute: expected greater than",
        ),
        (("predicate", "template"), {"name": "x", "version": 0}, "predicate.template.version: expected greater than 0"),
        (("predicate",), 3, "predicate: expected an object, got 3"),
        (("subject",), [], "subject[0]: expected a value, got nothing"),
        (("subject",), {}, "subject: expected a list"),
        (("subject", 0, "digest", "sha256"), "cd" * 32, "subject: expected the subject's digest"),
        (("subject", 0, "digest", "md5"), "cd", "subject[0].digest.md5: expected no field of this name"),
    ],
)
def test_a_broken_rule_names_its_field(path: tuple[str | int, ...], value: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_manifest(edited(RUN, *path, value=value))
    assert message in caught.value.message
    assert not re.search("pydantic|Input should|Value error", str(caught.value))


def test_a_missing_field_is_named() -> None:
    data = json.loads(RUN.to_bytes())
    del data["predicate"]["runId"], data["predicate"]["status"]
    with pytest.raises(InputError) as caught:
        parse_manifest(rfc8785.dumps(data))
    assert [entry["field"] for entry in caught.value.values["fields"]] == ["predicate.runId", "predicate.status"]
    assert "predicate.runId: expected a value, got nothing" in caught.value.message


def test_an_error_never_gives_a_long_value_away() -> None:
    secret = "ghp_" + "s3cr3t" * 8
    for wrong in (
        lambda: run_predicate(status=secret),
        lambda: Code(remote=f"https://{secret}@example.org/lab/code.git"),
        lambda: Code(commit=secret),
        lambda: parse_manifest(edited(RUN, "predicate", "code", "remote", value=f"https://x:{secret}@example.org")),
        lambda: parse_manifest(json.dumps({"predicateType": secret, "predicate": {}}).encode()),
    ):
        with pytest.raises(InputError) as caught:
            wrong()
        shown = str(caught.value) + repr(caught.value.as_dict()) + repr(caught.value.__cause__)
        assert "s3cr3ts3cr3t" not in shown


@pytest.mark.parametrize(
    "remote",
    [
        "https://token@example.org/lab/code.git",
        "https://user:word@example.org/lab/code.git",
        "ssh://git:word@example.org/lab/code.git",
        "https://example.org/lab/code.git?private_token=1",
    ],
)
def test_no_credential_in_a_remote(remote: str) -> None:
    with pytest.raises(InputError, match="remote: expected a git remote without"):
        Code(remote=remote)


@pytest.mark.parametrize("remote", ["https://example.org/lab/code.git", "git@example.org:lab/code.git", "../code.git"])
def test_a_remote_without_credentials(remote: str) -> None:
    assert Code(remote=remote).remote == remote


# --- kinds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"size": None}, "size"),
        ({"cid": None}, "cid"),
        ({"cid_profile": None}, "cid_profile"),
        ({"file_count": 2}, "file_count"),
        ({"subject_type": "folder"}, "file_count"),
        ({"subject_type": "commitment", "cid": None, "cid_profile": None}, "size"),
        ({"subject_type": "identifier"}, "subject_type"),
        ({"subject_type": "folder", "file_count": 2, "digest_from": "huggingface.co"}, "digest_from"),
        ({"digest_from": "huggingface.co"}, "cid"),
        ({"digest_from": "huggingface.co", "cid": None, "cid_profile": None, "size": None}, "size"),
    ],
)
def test_content_says_exactly_what_its_subject_has(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError, match=f"^{field}: expected"):
        file_content(**changed)
    assert file_content(subject_type="folder", file_count=2).file_count == 2
    assert file_content(digest_from="huggingface.co", cid=None, cid_profile=None).cid is None
    assert ContentPredicate(subject_type="commitment").size is None


@pytest.mark.parametrize("kind", [*range(1, 11), 128, 255])
def test_every_kind_reads_back(kind: int) -> None:
    if kind in (Kind.DATASET, Kind.MODEL, Kind.SOFTWARE, Kind.ENVIRONMENT):
        manifest = Manifest.of(kind, file_content(), "ab" * 32)
    elif kind == Kind.RUN:
        manifest = Manifest.of(kind, run_predicate())
    elif kind == Kind.REFERENCE:
        foreign = ReferencePredicate(name="theirs", chain_id=10, registry="0x" + "Ab" * 20, record_id="cd" * 32)
        manifest = Manifest.of(kind, foreign)
        text = f"eip155:10:0x{'ab' * 20}/0x{'cd' * 32}"
        assert manifest.subject_digest == hashlib.sha256(text.encode()).hexdigest()
        assert json.loads(manifest.to_bytes())["predicate"]["chainId"] == "10"
    else:
        manifest = Manifest.of(kind, RecordPredicate(name="it", subject_type="file", values={"p": 0.01}), "ab" * 32)
    again = parse_manifest(manifest.to_bytes())
    assert again == manifest
    assert again.kind == kind
    assert f":{int(kind)}:" in predicate_type(kind) or Kind(kind).name.lower() in predicate_type(kind)


@pytest.mark.parametrize("kind", [0, 15, 127, 256])
def test_there_are_no_other_kinds(kind: int) -> None:
    with pytest.raises(InputError, match="predicateType: expected"):
        Manifest.of(kind, RecordPredicate(name="it", subject_type="file"), "ab" * 32)


def test_a_predicate_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="predicate: expected a RunPredicate"):
        Manifest.of(Kind.RUN, file_content(), "ab" * 32)


def test_an_identifier_is_what_the_subject_is_the_digest_of() -> None:
    named = RecordPredicate(name="plan", subject_type="identifier", identifier="doi:10.1103/PhysRevLett.116.061102")
    manifest = Manifest.of(Kind.PLAN, named)
    assert manifest.subject_type is SubjectType.IDENTIFIER
    assert manifest.subject_digest == hashlib.sha256(b"doi:10.1103/PhysRevLett.116.061102").hexdigest()
    with pytest.raises(InputError, match="identifier: expected"):
        RecordPredicate(name="plan", subject_type="identifier")
    with pytest.raises(InputError, match="subject: expected the subject's digest to be the SHA-256"):
        Manifest.of(Kind.PLAN, named, "ab" * 32)


def test_chain_values_are_text() -> None:
    block = NotBefore(chain_id=str(2**70), block_number=1, block_hash="0x" + "AB" * 32, timestamp="1700000000")
    expected = {
        "chainId": str(2**70),
        "blockNumber": "1",
        "blockHash": "0x" + "ab" * 32,
        "timestamp": "1700000000",
    }
    assert block.to_json() == expected


def test_every_file_that_a_run_names_is_found() -> None:
    run = run_predicate(
        code=Code(diff=artifact("diff"), pack=artifact("pack")),
        environment=RunEnvironment(python="3.11", lock=artifact("lock")),
        metrics={"loss": Metric(value=1, history=artifact("loss.csv"))},
    )
    assert {one.path for one in artifacts_of(run)} == {"diff", "pack", "lock", "loss.csv", "out/model.bin"}
    again = parse_manifest(Manifest.of(Kind.RUN, run).to_bytes())
    assert artifacts_of(again.predicate) == artifacts_of(run)
    assert again.predicate.environment.to_json()["python"] == "3.11"


@pytest.mark.parametrize(
    ("tolerance", "recorded", "found", "allowed"),
    [
        (Tolerance(), 0.5, 0.5, True),
        (Tolerance(), 0.5, 0.5 + 1e-16 * 4, False),
        (Tolerance(absolute=0.25), 1.0, 1.25, True),
        (Tolerance(absolute=0.25), 1.0, 0.74, False),
        (Tolerance(relative=0.5), -2.0, -3.0, True),
        (Tolerance(relative=0.5), -2.0, -3.1, False),
        (Tolerance(absolute=0.5, relative=0.5), 1.0, 2.0, True),
        (Tolerance(absolute=1.0), 1.0, float("nan"), False),
        (Tolerance(), float("nan"), float("nan"), True),
        (Tolerance(absolute=1.0), float("nan"), 1.0, False),
        (Tolerance(relative=1.0), float("inf"), 1.0, False),
        (Tolerance(relative=1.0), float("inf"), float("inf"), True),
        (Tolerance(relative=1.0), float("inf"), float("-inf"), False),
    ],
)
def test_how_far_a_metric_may_be_off(tolerance: Tolerance, recorded: float, found: float, allowed: bool) -> None:
    assert tolerance.allows(recorded, found) is allowed


# --- the key ---------------------------------------------------------------------------------------------------------


def key_of(manifest: Manifest, **changed: Any) -> RecordKey:
    return RecordKey(
        **{
            "group": 1,
            "kind": manifest.kind,
            "subject_type": manifest.subject_type,
            "author": "0x" + "11" * 20,
            "subject": manifest.subject_digest,
            "manifest": manifest.digest(),
            "parents": manifest.parents or (),
            **changed,
        }
    )


def test_a_key_made_from_a_manifest_agrees_with_it() -> None:
    assert check_against_key(RUN, key_of(RUN)) == []
    assert RUN.parents == (Link("aa" * 32, Relation.TRAINED_ON), Link("bb" * 32, Relation.REPRODUCES))


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"kind": Kind.RESULT}, "kind", "kind: the manifest says run, the record result"),
        ({"kind": 200}, "kind", "kind: the manifest says run, the record 200"),
        (
            {"subject_type": SubjectType.FILE},
            "subjectType",
            "subjectType: the manifest says identifier, the record file",
        ),
        ({"subject": "01" * 32}, "subject", f"the record {'01' * 32}"),
        ({"parents": ()}, "parents", "the record none"),
        ({"parents": (Link("aa" * 32, 1), Link("bb" * 32, 7))}, "parents", f"{'bb' * 32}:7"),
    ],
)
def test_where_key_and_manifest_disagree(changed: dict[str, Any], field: str, said: str) -> None:
    (found,) = check_against_key(RUN, key_of(RUN, **changed))
    assert found.startswith(f"{field}: ")
    assert said in found


def test_content_fits_any_parents() -> None:
    manifest = Manifest.of(Kind.MODEL, file_content(), "ab" * 32)
    assert manifest.parents is None
    assert check_against_key(manifest, key_of(manifest, parents=(Link("aa" * 32, Relation.GENERATED_BY),))) == []


# --- paths -----------------------------------------------------------------------------------------------------------

BAD_PATHS = [
    "",
    "/etc/passwd",
    "../x",
    "a/../b",
    "a/./b",
    "a//b",
    "a/",
    ".",
    "..",
    "a\\b",
    "C:/x",
    "c:x",
    "a\nb",
    "a\x00",
]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_paths_that_leave_their_folder_or_depend_on_a_system(path: str) -> None:
    with pytest.raises(InputError, match=r"^path: expected"):
        artifact(path)


def test_a_path_is_kept_in_nfc() -> None:
    assert artifact(unicodedata.normalize("NFD", "données/é.csv")).path == unicodedata.normalize("NFC", "données/é.csv")


@pytest.mark.parametrize("paths", [["a", "a/b"], ["a", "a"], ["é", "e\u0301"]])
def test_paths_that_collide(paths: list[str]) -> None:
    outputs = [RunOutput(role="x", artifact=artifact(path)) for path in paths]
    with pytest.raises(InputError, match=r"^outputs: expected"):
        run_predicate(outputs=outputs)
    with pytest.raises(InputError, match=r"^attachments: expected"):
        RecordPredicate(name="r", subject_type="file", attachments=[output.artifact for output in outputs])


@given(st.lists(st.text(st.sampled_from("aAbé/.\\:\n"), max_size=6), max_size=4))
def test_any_paths_are_taken_or_refused_by_a_typed_error(paths: list[str]) -> None:
    try:
        check_distinct([artifact(path).path for path in paths])
    except InputError:
        return
    root = Path("/root/of/all")
    for path in paths:
        assert root in (root / path).parents
    assert len({unicodedata.normalize("NFC", path) for path in paths}) == len(paths)


# --- plain values ----------------------------------------------------------------------------------------------------


@given(PLAIN)
def test_plain_values_stay_what_they_are(value: Any) -> None:
    assert same(plain(value), value)


@pytest.mark.parametrize("value", [b"x", {1, 2}, object(), 1j, {1: 2}, {"a": {(1, 2): 3}}, "\ud800", {"\udfff": 1}])
def test_other_types_are_refused_by_name(value: Any) -> None:
    with pytest.raises(InputError, match=r"^parameters\.x"):
        run_predicate(parameters={"x": value})


def test_nothing_endless_is_followed() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InputError, match="levels"):
        plain(endless, "x")
    wide: Any = 0
    for _ in range(40):
        wide = [wide, wide]
    with pytest.raises(InputError, match="values in all"):
        plain(wide, "x")


def test_times_are_told_in_utc() -> None:
    east = timezone(timedelta(hours=9))
    assert plain(datetime(2015, 9, 14, 18, 50, 45, 400000, east)) == "2015-09-14T09:50:45.4Z"
    assert plain(datetime(2015, 9, 14, 9, 50, 45, tzinfo=UTC)) == "2015-09-14T09:50:45Z"
    assert run_predicate(started_at="2015-09-14T18:50:45+09:00").started_at == "2015-09-14T09:50:45Z"
    with pytest.raises(InputError, match="x: expected a time"):
        plain(datetime(1, 1, 1, tzinfo=east), "x")


def test_what_a_caller_changes_later_stays_out() -> None:
    layers = [64, 32]
    predicate = run_predicate(parameters={"layers": layers})
    layers.append(16)
    assert predicate.parameters == {"layers": [64, 32]}
    with pytest.raises(Exception, match="frozen"):
        predicate.name = "other"  # type: ignore[misc]


# --- the document ----------------------------------------------------------------------------------------------------


def test_the_documented_example_is_what_it_says() -> None:
    text = (Path(__file__).parents[2] / "docs" / "manifest.md").read_text()
    data = re.search(r"```json\n(.*?)\n```", text, re.DOTALL).group(1).encode()  # type: ignore[union-attr]
    script = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)  # type: ignore[union-attr]
    manifest = parse_manifest(data)
    assert f"`{manifest.digest()}`" in text
    assert f"`{manifest.cid()}`" in text
    space: dict[str, Any] = {"data": data}
    exec(script, space)
    assert space["manifest"] == manifest.digest()
    assert space["cid"] == manifest.cid()
    assert space["subject"] == manifest.subject_digest
    for field in (*RunPredicate.model_fields.values(), *ContentPredicate.model_fields.values()):
        assert f"`{field.alias}`" in text, field.alias


@pytest.mark.parametrize("kind", [Kind.EVALUATION])
def test_a_kind_without_a_predicate_is_named(kind: Kind) -> None:
    """The registry takes it; this version can neither write nor read what it says."""
    with pytest.raises(InputError, match=f"{label(kind)}: it has no predicate"):
        Manifest.of(kind, RecordPredicate(name="it", subject_type="file"), "ab" * 32)


def test_reading_a_manifest_builds_the_models_of_its_kind_alone() -> None:
    """Models of all kinds take a tenth of the CPU seconds of `verify`."""
    Manifest.of(Kind.DATASET, ContentPredicate(subject_type="commitment", name="data"), "ab" * 32)
    assert "RunPredicate" not in repr(Manifest.__pydantic_core_schema__)
