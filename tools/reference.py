"""Renders the contracts' NatSpec as a book: Markdown by `forge doc`, and HTML of it.

python tools/reference.py    writes .build/reference/{src,book}
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from compiler import COMPILER, FOLDERS, ROOT, SOLIDITY

OUT = ROOT / ".build" / "reference"


def main() -> int:
    """Runs forge on a copy of the contracts: it reads every Solidity file below its root, and here are others."""
    shutil.rmtree(OUT, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        for folder in FOLDERS:
            shutil.copytree(ROOT / folder, Path(scratch, "src", folder))
        remappings = (entry.split("=") for entry in SOLIDITY["import_remapping"])
        settings = {
            "FOUNDRY_SOLC": str(COMPILER),
            "FOUNDRY_OFFLINE": "true",
            "FOUNDRY_REMAPPINGS": ",".join(f"{name}={ROOT / path}" for name, path in remappings),
        }
        done = subprocess.run(
            ["forge", "doc", "--build", "--root", scratch, "--out", OUT],
            env={**os.environ, **settings},
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    pages = len(list((OUT / "src").rglob("*.md")))
    if done.returncode or not pages:
        print(done.stdout, file=sys.stderr)
        return 1
    print(f"{pages} pages: {OUT.relative_to(ROOT)}/src, as HTML {OUT.relative_to(ROOT)}/book/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
