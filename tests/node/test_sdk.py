"""The TypeScript SDK: its own tests, types and package; and it judges as Python does whatever strangers write."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import rfc8785

from blockchaintracer.core.manifest import Predicate, parse_manifest
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.attest import retract
from blockchaintracer.lab.bundle.exporter import ProofRequest, export_bundle
from blockchaintracer.lab.chain.factory import settings_of
from blockchaintracer.lab.devnet.chain_state import call
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import required_record
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.relay import SignedWrites
from tests.support.actors import Actor
from tests.support.artifacts import ROOT
from tests.support.forged_bundles import SHAPES, Forged, blocks_of
from tests.support.mutations import changes
from tools import npm
from tools.differ import Judge, agree, answers, encoded, judged, outcome_of, written

SDK = ROOT / "packages" / "sdk"
LARGEST = 150_000
"""Bytes of the verifier as a browser loads it, minified and compressed by gzip."""


def node(*command: str | Path, **more: Any) -> str:
    done = subprocess.run([npm.NODE, *command], cwd=SDK, check=False, capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


def differ(questions: list[dict[str, Any]], *expected: str) -> None:
    """Python and the SDK answer each question alike; `expected` is among the answers."""
    with Judge() as judge:
        asked = [judge.ask(questions[at : at + 100])() for at in range(0, len(questions), 100)]
    theirs, ours = [it for some in asked for it in some], [judged(question) for question in questions]
    assert {*expected} <= {*map(outcome_of, ours)}
    assert [(i, it, ours[i]) for i, it in enumerate(theirs) if it != ours[i]] == []


def test_its_own_tests() -> None:
    node("--test", "test/*.test.js")


def test_its_types() -> None:
    node(ROOT / "node_modules" / "typescript" / "bin" / "tsc", "-p", "tsconfig.json")


GIVEN = (
    "file: Blob, bytes: Uint8Array, copies: Copies, id: string",
    "bytes: Uint8Array, roots: string, blocks: string[]",
    "claim: IdentityClaim, registry: string",
    "identities: Json, client: Client, trust: Trust, copies: Copies",
    "at: string",
    "file: Blob, at: string, id: string, account: Hex",
    'provider: import("viem").EIP1193Provider, chain: import("viem").Chain',
    "wallet: Wallet, authorWallet: Wallet, payingWallet: Wallet, registry: Registry, "
    'key: RecordKey, runKey: RecordKey, author: Hex, deadline: number, client: import("viem").PublicClient, '
    "reviewerWallet: Wallet",
)
"""What each example of the SDK's README takes as given."""


def test_the_examples_of_its_readme_have_the_right_types(tmp_path: Path) -> None:
    examples = re.findall(r"```(\w+)\n(.*?)```", (SDK / "README.md").read_text(), re.DOTALL)
    assert [language for language, _ in examples] == ["ts"] * len(GIVEN)
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    for number, ((_, text), given) in enumerate(zip(examples, GIVEN, strict=True)):
        names = ", ".join({*re.findall(r": ([A-Z]\w+)", given)} - {"Blob", "Uint8Array", "Wallet"})
        types = f'import type {{ {names} }} from "@blockchaintracer/sdk";\ntype Wallet = import("viem").WalletClient;\n'
        (tmp_path / f"example{number}.mts").write_text(f"{types}declare const {given};\n{text}")
    entries = {"@blockchaintracer/sdk": "index", "@blockchaintracer/sdk/rfc3161": "rfc3161"}
    options = {"paths": {name: [str(SDK / "src" / f"{file}.ts")] for name, file in entries.items()}}
    options |= {"noUnusedLocals": False, "noUnusedParameters": False}
    settings = {"extends": str(SDK / "tsconfig.json"), "compilerOptions": options, "include": ["*.mts"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    node(ROOT / "node_modules" / "typescript" / "bin" / "tsc", "-p", tmp_path)


def bundles() -> Iterator[bytes]:
    """Whole ones, and each with one field changed; the smallest also with one bit in three bytes changed."""
    for shape in ({}, {"batched": True, "count": 2}, {"manifest": False, "is_genuine": False}):
        data = Forged(**shape).data()
        yield data
        yield from (written(changed) for _, changed in changes(json.loads(data)))
    data = Forged(manifest=False).data()
    yield from (data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :] for at in range(0, len(data), 3))


def test_bundles_are_judged_as_python_does() -> None:
    trust = {"blocks": list(blocks_of(Forged().data())), "groups": [7]}
    questions = [{"bundle": encoded(data), "trust": trust} for data in bundles()]
    differ(questions, "verified", "refused", "version", "consistent")


def forged() -> Iterator[bytes]:
    """Bundles that fit together, by the hand of one who can compute every hash: of other manifests, and odd shapes."""
    plain = json.loads(Forged().data())["records"][0]["manifest"]
    for _, changed in islice(changes(plain), 0, None, 3):
        # what has no RFC 8785 form can't be in a bundle
        with suppress(rfc8785.CanonicalizationError, UnicodeEncodeError, ValueError, TypeError):
            yield Forged(of_manifest=lambda _, changed=changed: changed).data()
    yield from (Forged(**shape).data() for shape in SHAPES.values())
    # RFC 8785 writes this double as a whole number that other readers would round
    large = {"predicate": plain["predicate"] | {"schema": {"rows": 1e16}}}
    yield Forged(of_manifest=lambda given: given | large).data()
    yield Forged(is_genuine=False, code=b"\x60\x00").data()
    for batched in (False, True):
        yield from (Forged(batched=batched, is_genuine=is_genuine).data() for is_genuine in (False, True))


def test_forgeries_are_judged_as_python_does() -> None:
    questions: list[dict[str, Any]] = []
    for data in forged():
        blocks, registry = list(blocks_of(data)), json.loads(data)["registry"]
        of_chain = {"blocks": blocks, "registry": registry}
        for trust in (None, {"blocks": blocks}, of_chain, of_chain | {"chainId": 1}):
            questions.append({"bundle": encoded(data), "trust": trust})
    differ(questions, "verified", "refused", "consistent")


def test_random_cases_are_judged_as_python_does() -> None:
    """`make fuzz` has more of them."""
    found = [it for it in answers(1_500, seed=19) if not agree(*it[1:])]
    assert found == []


def manifests() -> Iterator[bytes]:
    """The examples beside the SDK's tests, and each with one field changed; FAULTS=1: all of them."""
    for file in sorted((SDK / "test" / "manifests").glob("*.json")):
        plain = json.loads(file.read_text())
        yield rfc8785.dumps(plain)
        step = 1 if os.environ.get("FAULTS") else 7
        yield from (written(changed) for _, changed in islice(changes(plain), 0, None, step))


def test_each_predicate_has_an_example() -> None:
    """So that the SDK reads what Python writes: a new predicate needs its rules there, and an example here."""
    read = [
        parse_manifest(rfc8785.dumps(json.loads(file.read_text()))) for file in (SDK / "test" / "manifests").iterdir()
    ]
    assert {type(manifest.predicate) for manifest in read} == {*get_args(Predicate)}


def test_manifests_are_judged_as_python_does() -> None:
    differ([{"manifest": encoded(data)} for data in manifests()], "refused")


def test_wallets_and_nodes(lab: Lab, tmp_path: Path) -> None:
    """`packages/sdk/test/devnet.js`; what it signed is read by Python, too."""
    data = tmp_path / "data"
    data.write_text("of the lab")
    record = record_content(lab, Kind.DATASET, data, name="data").id
    call(lab.devnet.start().port, "anvil_mine", "0x60")
    found, final = required_record(lab, record), lab.chain.finalized()
    assert final is not None
    request = ProofRequest(found.key, lab.store.get_bytes(found.key.manifest), found.transaction)
    bundle = export_bundle(lab.registry, [request], final.number, deployment=settings_of(lab.registry))
    (tmp_path / "proof").write_bytes(bundle)
    retract(lab, record, "a mistake")
    people = {name: Actor.named(f"{name} of the SDK") for name in ("ALICE", "BOB")}
    for actor in people.values():
        lab.devnet.fund(actor.address, 10**20)
    keys = {name: f"0x{actor.key.secret.hex()}" for name, actor in people.items()}
    places = {"BUNDLE": str(tmp_path / "proof"), "SIGNED": str(tmp_path / "signed.json"), "RECORD": record}
    known = {"RPC_URL": lab.devnet.start().url, "REGISTRY": lab.registry.address}
    node(SDK / "test" / "devnet.js", env=os.environ | keys | places | known)
    signed = SignedWrites.read_file(tmp_path / "signed.json")
    assert signed.signer.lower() == people["ALICE"].address
    assert lab.registry.status(signed.writes[0].record_id).exists


def test_the_verifier_is_small(tmp_path: Path) -> None:
    entry = tmp_path / "verifier.js"
    entry.write_text(
        f'export {{ verifyBundle, hashFile, parseManifest, openRegistry }} from "{SDK / "src" / "index.ts"}";\n'
    )
    made = tmp_path / "made.js"
    options = ("--bundle", "--minify", "--format=esm", "--platform=browser", "--target=es2022")
    subprocess.run(
        [next((ROOT / "node_modules" / "@esbuild").glob("*/bin/esbuild")), entry, *options, f"--outfile={made}"],
        check=True,
        capture_output=True,
    )
    text = made.read_text()
    assert len(gzip.compress(text.encode(), 9)) < LARGEST
    # a browser has none of these
    assert "node:" not in text
    assert "require(" not in text


def test_what_is_packed(tmp_path: Path) -> None:
    with tarfile.open(npm.pack("sdk", tmp_path)) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
    sources = {path.stem for path in (SDK / "src").glob("*.ts")}
    built = {f"dist/{stem}{end}" for stem in sources for end in (".js", ".d.ts")}
    assert names == {"package.json", "README.md", "LICENSE", *built}
    assert not (SDK / "LICENSE").exists()


def test_a_release_packs_sources_and_builds(tmp_path: Path) -> None:
    """From a clone, where nothing is built and .npmrc switches off the scripts that put them together."""
    clone = tmp_path / "clone"
    for folder in ("packages", "contracts", "interfaces", "deployments"):
        shutil.copytree(ROOT / folder, clone / folder, ignore=shutil.ignore_patterns("dist"))
    for name in ("package.json", ".npmrc", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    packed = npm.pack_all(tmp_path / "packed", clone)
    names = set()
    for path in packed:
        with tarfile.open(path) as archive:
            names.update(archive.getnames())
    assert len(packed) == 2
    assert {f"package/{name}" for name in ("contracts/LabRegistry.sol", "interfaces/ILabRegistry.sol")} <= names
    assert {f"package/dist/{name}" for name in ("index.js", "index.d.ts")} <= names
