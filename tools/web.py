"""Builds the page that verifies in a browser, twice, and writes it where the package ships it: `make web`.

`--check` compares what is shipped with what the sources give. Prints the page's SHA-256 (docs/page.md).
"""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.npm import NODE  # noqa: E402 -- after the path to it

SHIPPED = ROOT / "blockchaintracer" / "web" / "index.html"
BUILT = ROOT / "web" / "dist" / "index.html"
MODULES = ROOT / "node_modules"


def build() -> bytes:
    """Check the types and build."""
    for program, *arguments in (
        ("typescript/bin/tsc", "--noEmit", "--project", "web/tsconfig.json"),
        ("vite/bin/vite.js", "build", "--logLevel", "warn", "--config", "web/vite.config.ts"),
    ):
        subprocess.run([NODE, MODULES / program, *arguments], cwd=ROOT, check=True)
    return BUILT.read_bytes()


def main() -> int:
    """Build, compare, and write or complain."""
    page = build()
    if page != build():
        print("the page is not the same twice", file=sys.stderr)
        return 1
    if "--check" not in sys.argv:
        SHIPPED.parent.mkdir(exist_ok=True)
        SHIPPED.write_bytes(page)
    elif not SHIPPED.exists() or SHIPPED.read_bytes() != page:
        print(f"{SHIPPED.relative_to(ROOT)} is not what web/ gives: run `make web`", file=sys.stderr)
        return 1
    print(f"{hashlib.sha256(page).hexdigest()}  {SHIPPED.relative_to(ROOT)} ({len(page):,} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
