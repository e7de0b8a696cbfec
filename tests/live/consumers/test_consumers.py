"""Projects of others that install the packed npm package: Ape, Foundry, Hardhat 2 and 3 compile the gate of
docs/consumers.md and ask a registry on a devnet: reproduced by a group that I trust, and not retracted?"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from eth_abi import encode
from eth_hash.auto import keccak

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, domain, found, run_reproducing
from tests.model.eip712 import Key
from tests.model.registry import REPRODUCED
from tests.support import hardhat
from tests.support.artifacts import ROOT
from tests.support.node import anvil
from tools import npm

HERE = Path(__file__).resolve().parent
PAGE = (ROOT / "docs" / "consumers.md").read_text()
KEY = "(uint32,address,uint8,bytes32,uint8,bytes32,(bytes32,uint8)[])"
SOLC = ROOT / ".toolchain" / "solc" / "solc-v0.8.37"
SOLJSON = ROOT / "node_modules" / "solc" / "soljson.js"
ERRORS = {
    keccak(text.encode())[:4].hex(): text.partition("(")[0]
    for text in ("TooFewReproductions(bytes32,uint256,uint256)", "RecordNotStanding(bytes32,uint8)")
}
LIMIT_S = 240


class Case(NamedTuple):
    """Questions to a registry, and the right answers: the id, or the error."""

    rpc: str
    registry: str
    questions: list[tuple[int, Key]]
    answers: list[str]


def as_json(key: Key) -> dict[str, Any]:
    return {
        "group": key.group,
        "author": key.author,
        "subjectType": key.subject_type,
        "subject": "0x" + key.subject.hex(),
        "kind": key.kind,
        "manifest": "0x" + key.manifest.hex(),
        "parents": [{"parent": "0x" + parent.hex(), "relation": relation} for parent, relation in key.parents],
    }


@pytest.fixture(scope="module")
def case() -> Iterator[Case]:
    with anvil() as chain:
        registry = found(chain.deploy("LabRegistry", CAROL.address, True))
        stands, retracted = (DATA._replace(kind=2, subject=subject * 32) for subject in (b"\7", b"\x08"))
        for key in (stands, retracted):
            chain.tick()
            registry.send(ALICE.address, "record", key)
            record = domain(registry).record_id(key)
            evidence = run_reproducing(record, subject=key.subject[0])
            chain.tick()
            registry.send(BOB.address, "record", evidence)
            chain.tick()
            registry.send(BOB.address, "attestWithEvidence", 2, record, REPRODUCED, evidence)
        chain.tick()
        registry.send(ALICE.address, "retract", retracted, bytes(32))
        answers = ["0x" + domain(registry).record_id(stands).hex(), "TooFewReproductions", "RecordNotStanding"]
        # group 3 does not exist, and says nothing
        yield Case(chain.url, registry.address, [(2, stands), (3, stands), (2, retracted)], answers)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return npm.pack("contracts", tmp_path_factory.mktemp("packed"))


def unpack(packed: Path, folder: Path) -> None:
    """Install a packed package as `folder`."""
    with tarfile.open(packed) as archive:
        archive.extractall(folder.parent / "unpacked", filter="data")
    (folder.parent / "unpacked" / "package").rename(folder)


def project(name: str, folder: Path, packed: Path, *modules: Path) -> Path:
    """A project that has installed the packed package and OpenZeppelin, and beside them what `modules` hold."""
    shutil.copytree(HERE / name, folder / name)
    installed = folder / name / "node_modules"
    (installed / "@blockchaintracer").mkdir(parents=True)
    unpack(packed, installed / "@blockchaintracer" / "contracts")
    shutil.copytree(ROOT / "node_modules" / "@openzeppelin", installed / "@openzeppelin")
    for module in (module for modules_folder in modules for module in modules_folder.glob("[!.]*")):
        (installed / module.name).symlink_to(module)
    (folder / name / "contracts").mkdir()
    (example,) = re.findall(r"```solidity\n(.*?)```", PAGE, re.DOTALL)
    (folder / name / "contracts" / "ModelGate.sol").write_text(example)
    return folder / name


def run(folder: Path, case: Case, *command: str | Path, **more: str) -> str:
    """What a program of the project prints. Nothing of it is kept outside the project's folder."""
    (folder / "home").mkdir(exist_ok=True)
    questions = [(trusted, as_json(key)) for trusted, key in case.questions]
    environment = os.environ | {
        "HOME": str(folder / "home"),
        "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "RPC_URL": case.rpc,
        "CASE": json.dumps({"registry": case.registry, "questions": questions}),
        "SOLC": str(SOLC),
        "SOLJSON": str(SOLJSON),
        "HARDHAT_DISABLE_TELEMETRY_PROMPT": "true",
        **more,
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def told(output: str) -> list[str]:
    (line,) = (line for line in output.splitlines() if line.startswith("ANSWERS "))
    return [ERRORS.get(answer.removeprefix("0x"), answer) for answer in json.loads(line.removeprefix("ANSWERS "))]


def test_an_ape_project(case: Case, packed: Path, tmp_path: Path) -> None:
    folder = project("ape", tmp_path, packed)
    output = run(folder, case, "ape", "run", "ask", "--network", "ethereum:devnet:node")
    assert told(output) == case.answers


def test_a_foundry_project(case: Case, packed: Path, tmp_path: Path) -> None:
    folder = project("foundry", tmp_path, packed)
    questions = encode([f"(uint32,{KEY})[]"], [case.questions])
    more = {"REGISTRY": case.registry, "QUESTIONS": "0x" + questions.hex()}
    run(folder, case, "forge", "test", "--offline", "--use", SOLC, "--fork-url", case.rpc, **more)
    answers = (folder / "answers.txt").read_text().split()
    assert [ERRORS.get(answer.removeprefix("0x"), answer) for answer in answers] == case.answers


def test_a_project_of_hardhat_3(case: Case, packed: Path, tmp_path: Path) -> None:
    npm.install(HERE)
    folder = project("hardhat", tmp_path, packed, HERE / "node_modules")
    (folder / "package.json").write_text('{"name": "gate", "version": "1.0.0", "private": true, "type": "module"}')
    command = folder / "node_modules" / "hardhat" / "dist" / "src" / "cli.js"
    assert told(run(folder, case, npm.NODE, command, "run", "ask.js")) == case.answers


def test_a_project_of_hardhat_2(case: Case, packed: Path, tmp_path: Path) -> None:
    npm.install(hardhat.HERE)
    folder = project("hardhat2", tmp_path, packed, hardhat.HERE / "node_modules")
    (folder / "package.json").write_text('{"name": "gate", "version": "1.0.0", "private": true}')
    calls = [
        (
            encode(["address", "uint32[]"], [case.registry, [trusted]]).hex(),
            "0x" + (keccak(f"deploy({KEY})".encode())[:4] + encode([KEY], [key])).hex(),
            "0x" + keccak(b"model()")[:4].hex(),
        )
        for trusted, key in case.questions
    ]
    program = (npm.NODE, hardhat.COMMAND, "run", "--network", "devnet", "scripts/ask.js")
    assert told(run(folder, case, *program, CASE=json.dumps({"calls": calls}))) == case.answers


def test_a_typescript_project(case: Case, packed: Path, tmp_path: Path) -> None:
    """It has both packages: its types are checked strictly, those of the packages as well, and it runs."""
    npm.install(HERE)
    folder = project("typescript", tmp_path, packed, HERE / "node_modules")
    unpack(npm.pack("sdk", tmp_path), folder / "node_modules" / "@blockchaintracer" / "sdk")
    # beside viem's own version
    noble = folder / "node_modules" / "@blockchaintracer" / "sdk" / "node_modules" / "@noble"
    shutil.copytree(ROOT / "node_modules" / "@noble" / "hashes", noble / "hashes")
    (folder / "package.json").write_text('{"name": "app", "version": "1.0.0", "private": true, "type": "module"}')
    run(folder, case, npm.NODE, ROOT / "node_modules" / "typescript" / "bin" / "tsc")
    assert told(run(folder, case, npm.NODE, folder / "built" / "app.js")) == case.answers


def test_the_packages_are_clean(packed: Path, tmp_path: Path) -> None:
    """By publint and arethetypeswrong, which find what is wrong with one whose types are missing."""
    npm.install(HERE)
    sdk = npm.pack("sdk", tmp_path)

    def wrong(*files: Path) -> str:
        command = [npm.NODE, HERE / "lint.mjs", *files]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT_S).stdout

    assert wrong(packed, sdk) == ""
    damaged = tmp_path / "damaged.tgz"
    with tarfile.open(sdk) as archive, tarfile.open(damaged, "w:gz") as other:
        for member in archive.getmembers():
            if member.name != "package/dist/index.d.ts":
                other.addfile(member, archive.extractfile(member))
    assert wrong(damaged)


def test_what_is_packed(packed: Path) -> None:
    """Every source and deployment as it stands in the repository, and nothing that is not listed."""
    with tarfile.open(packed) as archive:
        files = {
            member.name.removeprefix("package/"): archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive.getmembers()
        }
    sources = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for folder in ("contracts", "interfaces", "deployments")
        for path in (ROOT / folder).rglob("*.*")
    }
    assert {name: files.pop(name) for name in sources} == sources
    assert files.pop("LICENSE") == (ROOT / "LICENSE").read_bytes()
    mine = ROOT / "packages" / "contracts"
    assert files == {name: (mine / name).read_bytes() for name in files}
    assert {name for name in files if not name.startswith(("abi/", "erc7730/"))} == {
        *("README.md", "ape-config.yaml", "package.json", "index.js", "index.d.ts", "code.js", "code.d.ts")
    }
    assert not (mine / "contracts").exists()
