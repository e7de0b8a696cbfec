"""The main job from end to end, on a chain of your own: `make record`.

A lab trains a model and records dataset, model and run. A second group, in a process and a folder of its own,
reproduces the run from its record and says what it found. Then everything is verified.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import sklearn

from blockchaintracer import open_lab

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LAB = Path(os.environ.get("BLOCKCHAINTRACER_HOME") or ROOT / ".blockchaintracer")
PUBLISHED = LAB / "published"
SECOND_GROUP = LAB / "second-group"
DATA = Path(sklearn.__file__).parent / "datasets" / "data" / "breast_cancer.csv"


def verb(*arguments: str, home: Path = LAB, folder: Path = ROOT, shown: str | None = None) -> dict:
    """Runs a verb as a person would, in a process of its own, and gives its JSON."""
    # broken before an option, never in a value
    parts = re.sub(r" (?=--)", "\n", f"$ blockchaintracer {shown or ' '.join(arguments)}").split("\n")
    lines = [parts[0]]
    for part in parts[1:]:
        lines = [*lines[:-1], f"{lines[-1]} {part}"] if len(lines[-1]) + len(part) < 75 else [*lines, part]
    print(" \\\n    ".join(lines), flush=True)
    command = [sys.executable, "-m", "blockchaintracer", arguments[0]]
    options = ["--json", "--home", str(home)]
    if len(arguments) > 1 and arguments[0] == "group":
        command, arguments = [*command, arguments[1]], arguments[1:]
    done = subprocess.run(
        [*command, *options, *arguments[1:]], cwd=folder, stdout=subprocess.PIPE, text=True, check=False
    )
    result = json.loads(done.stdout) if done.stdout.strip() else {}
    if "error" in result:
        print(f"  {result['message']}\n  {result.get('hint') or ''}", file=sys.stderr)
    if done.returncode not in (0, 1) or not result or "error" in result:
        sys.exit(done.returncode or 1)
    return result | {"exitCode": done.returncode}


def when(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def told(record: dict) -> str:
    how = "recorded before, nothing paid" if record["existing"] else "recorded now"
    return f"  {record['kind']} {record['id']}\n    block {record['block']}, {when(record['time'])}, {how}"


def main() -> int:
    began = time.monotonic()
    registry = verb("deploy", "--open")
    group = verb("group", "create", "My lab", shown="group create 'My lab'")
    dataset = verb(
        "record",
        *("--dataset", str(DATA), "--name", "Breast Cancer Wisconsin (Diagnostic)", "--license", "CC-BY-4.0"),
        *("--source", "https://doi.org/10.24432/C5DW2B"),
        shown=f"record --dataset {DATA.name} --name 'Breast Cancer Wisconsin (Diagnostic)' --license CC-BY-4.0 ...",
    )["records"][0]
    with tempfile.TemporaryDirectory() as results:
        run = verb(
            "record",
            *("--lock", str(HERE / "requirements.lock"), "--", sys.executable, "examples/quickstart/train.py"),
            *("--data", str(DATA), "--out", results, "--seed", "7"),
            shown="record --lock examples/quickstart/requirements.lock -- python examples/quickstart/train.py "
            f"--data {DATA.name} --out results --seed 7",
        )
    model = next(record for record in run["records"] if record["kind"] == "model")
    trained = run["records"][-1]
    # what you changed in this folder is part of the run's code
    verb(
        "publish",
        *(trained["id"], "--to", str(PUBLISHED), "--with-diff"),
        shown=f"publish {trained['id'][:12]} --to published --with-diff",
    )

    found = reproduce(trained["id"], registry["registry"])

    checked = [
        verb("verify", record_id, "--strict", shown=f"verify {record_id[:12]} --strict")
        for record_id in (dataset["id"], model["id"], trained["id"])
    ]
    verified = all(check["exitCode"] == 0 for check in checked)

    print(f"""
Recorded for group {group["group"]} on the devnet, chain {registry["chainId"]}, in the registry
{registry["registry"]}:
{told(dataset)}
{told(model)}
{told(trained)}
Reproduced by group {found["attestation"]["group"]}, from the record alone: {found["verdict"]}
  its run  {found["run"]["id"]}
Verified: {"every check passed" if verified else "NOT everything, see above"}   ({time.monotonic() - began:.0f} s)

Proven: who committed to these digests, from which data, code, environment and
seed, and not later than these blocks; that the second group's key says what it
found. Not proven: that the result is right, that the data are honest, that the
two keys belong to two people (here both are yours), or a time for strangers to
believe: this clock is your own.

Next:
  . .venv/bin/activate
  blockchaintracer verify {trained["id"][:12]}
  blockchaintracer lineage {model["id"][:12]}
  blockchaintracer query --kind run --sort metrics.accuracy
  blockchaintracer estimate
  ape run record --help""")
    return 0 if verified and found["exitCode"] == 0 else 1


def reproduce(run_id: str, registry: str) -> dict:
    """The second group: an empty folder, a key of its own, the record's id, the published files and the chain."""
    second = open_lab(LAB, registry=registry).open_colleague(SECOND_GROUP)
    where = ("--rpc", second.node_url(), "--registry", registry)
    print(f"\nA second group, on {second.node_url()}, with the key\n{second.address}:")
    with tempfile.TemporaryDirectory() as empty:
        verb(
            "group",
            "create",
            "Replication group",
            *where,
            home=SECOND_GROUP,
            folder=Path(empty),
            shown="group create 'Replication group'",
        )
        return verb(
            "reproduce",
            run_id,
            *("--from", str(PUBLISHED), "--yes", *where),
            home=SECOND_GROUP,
            folder=Path(empty),
            shown=f"reproduce {run_id[:12]} --from published --yes",
        )


if __name__ == "__main__":
    sys.exit(main())
