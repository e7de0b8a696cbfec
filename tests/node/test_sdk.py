"""The TypeScript SDK: its own tests, types and package; and it judges as Python does whatever strangers write."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import rfc8785

from blockchaintracer import Trust, verify_bundle
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.verify.bundle import BundleRefused
from tests.support.artifacts import ROOT
from tests.support.forged_bundles import Forged, blocks_of
from tests.support.mutations import changes
from tools import npm

SDK = ROOT / "packages" / "sdk"
LARGEST = 150_000
"""Bytes of the verifier as a browser loads it, minified and compressed by gzip."""


def node(*command: str | Path, **more: Any) -> str:
    done = subprocess.run([npm.NODE, *command], cwd=SDK, check=False, capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


def judged(questions: list[dict[str, Any]]) -> list[str]:
    """What the SDK says to each question."""
    lines = "".join(f"{json.dumps(question)}\n" for question in questions)
    return [json.loads(line) for line in node(SDK / "test" / "judge.js", input=lines).splitlines()]


def ours(decide: Callable[[], str]) -> str:
    try:
        return decide()
    except UnknownVersion:
        return "version"
    except (BundleRefused, InputError):
        return "refused"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def written(plain: Any) -> bytes:
    """The RFC 8785 form; of what has none, any other."""
    try:
        return rfc8785.dumps(plain)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        return json.dumps(plain).encode()


def test_its_own_tests() -> None:
    node("--test", "test/*.test.js")


def test_its_types() -> None:
    node(ROOT / "node_modules" / "typescript" / "bin" / "tsc", "-p", "tsconfig.json")


def bundles() -> Iterator[bytes]:
    """Whole ones, and each with one field changed; the smallest also with each of its bytes changed."""
    for shape in ({}, {"batched": True, "count": 2}, {"manifest": False, "is_genuine": False}):
        data = Forged(**shape).data()
        yield data
        yield from (written(changed) for _, changed in changes(json.loads(data)))
    data = Forged(manifest=False).data()
    yield from (data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :] for at in range(0, len(data), 3))


def test_bundles_are_judged_as_python_does() -> None:
    cases = [*bundles()]
    trust = {"blocks": list(blocks_of(Forged().data())), "groups": [7]}
    chosen = Trust(blocks=tuple(trust["blocks"]), groups=(7,))
    answers = judged([{"bundle": encoded(data), "trust": trust} for data in cases])
    expected = [ours(lambda data=data: verify_bundle(data, chosen).conclusion.value) for data in cases]
    assert {"verified", "refused", "version", "consistent"} <= {*expected}
    assert [(i, it) for i, it in enumerate(answers) if it != expected[i]] == []


def manifests() -> Iterator[bytes]:
    """The examples beside the SDK's tests, and each with one field changed; FAULTS=1: all of them."""
    for name in ("run", "dataset", "result", "reference", "renewal", "identity-claim"):
        plain = json.loads((SDK / "test" / "manifests" / f"{name}.json").read_text())
        yield rfc8785.dumps(plain)
        step = 1 if os.environ.get("FAULTS") else 7
        yield from (written(changed) for _, changed in islice(changes(plain), 0, None, step))


def test_manifests_are_judged_as_python_does() -> None:
    cases = [*manifests()]
    answers = judged([{"manifest": encoded(data)} for data in cases])

    def read(data: bytes) -> str:
        parse_manifest(data)
        return hashlib.sha256(data).hexdigest()

    expected = [ours(lambda data=data: read(data)) for data in cases]
    assert len({*expected}) > 100
    assert [(cases[i][:2000], it, expected[i]) for i, it in enumerate(answers) if it != expected[i]] == []


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
    assert names == {"package.json", "README.md", *built}
