"""A record that is renewed, archived, and verified from the folder alone: python thirty_years.py

Needs a registry and a group: blockchaintracer deploy --open; blockchaintracer group create "My lab"
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())


def verb(*arguments: object, **changed: str) -> dict:
    command = [sys.executable, "-m", "blockchaintracer", *map(str, arguments), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=os.environ | changed, check=False)
    return json.loads(done.stdout)


(folder / "data.csv").write_text("x,y\n1,2\n")
record = verb("record", folder / "data.csv")["id"]
renewal = verb("renew", record)["renewals"][0]
print(f"renewed    {renewal['leaves']} things by SHA-512 and SHA3-256")
written = verb("export", "-o", folder / "registry", "--artifacts")
print(f"archived   {written['events']} events in {written['size']:,} bytes")

# what a reader of 2056 has: the folder, and hashes of blocks from a source of their own (here they are copied)
blocks = [json.loads(line)["hash"] for line in (folder / "registry" / "blocks.jsonl").read_text().splitlines()]
trusted = [word for block in blocks for word in ("--trust-block", block)]
reader = {"BLOCKCHAINTRACER_HOME": str(folder / "no home")}
for words in (trusted, [*trusted, "--broken", "sha256:2041-01-01"], ["--trust-block", "0x" + "00" * 32]):
    told = verb("verify", record, "--from", folder / "registry", *words, **reader)
    asked = "SHA-256 broken in 2041" if "--broken" in words else f"{len(words) // 2} blocks trusted"
    print(f"{told['outcome']:<10} {asked}")
