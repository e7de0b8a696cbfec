"""Commits to a hundred measurements with one transaction, and stores the one that is asked for:
python examples/batch/measurements.py

Needs a registry and a group: blockchaintracer deploy --open; blockchaintracer group create "My lab"
"""

import json
import random
import subprocess
import sys
from pathlib import Path

COUNT = 100


def verb(*arguments: str) -> dict:
    """Runs a verb as a person would, and gives its JSON."""
    command = [sys.executable, "-m", "blockchaintracer", *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    result = json.loads(done.stdout or "{}")
    if done.returncode:
        print(result.get("message", ""), result.get("hint", ""), file=sys.stderr)
        sys.exit(done.returncode)
    return result


folder = Path("measurements")
folder.mkdir(exist_ok=True)
for number in range(COUNT):
    (folder / f"{number:03}.csv").write_text("".join(f"{random.gauss(0, 1):.6f}\n" for _ in range(50)))

files = sorted(folder.glob("*.csv"))
added = verb("batch", "add", *(f"--dataset={file}" for file in files))["records"]
batch = verb("batch", "anchor")
print(f"anchored   {batch['count']} records under {batch['root']}, block {batch['block']}")

proof = Path(batch["proofs"], f"{added[7]['id']}.json")
checked = verb("verify", "--proof", str(proof))
print(f"verified   {files[7]} by its proof, not stored: {checked['proves'][0]}")

stored = verb("materialize", added[42]["id"])["records"][-1]
print(f"stored     {files[42]} as {stored['id']}, with the batch's time: {stored['time'] == batch['time']}")
