"""Search trees of files as `publish` does, and print what looks like a secret: how often it is wrong is a figure.

`python tools/count_secrets.py FOLDER...` names path, line and kind, and counts by folder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from blockchaintracer.lab.capture.secret_masking import SCANNED, scan_secrets

SKIPPED = {".git", ".venv", "node_modules", "__pycache__"}


def main(folders: list[str]) -> None:
    """Print the findings of each folder."""
    for root in map(Path, folders):
        files = size = lines = 0
        for top, inside, names in os.walk(root):
            inside[:] = sorted(set(inside) - SKIPPED)
            for path in (Path(top, name) for name in sorted(names)):
                data = b"\0" if path.is_symlink() or path.stat().st_size > SCANNED else path.read_bytes()
                if b"\0" in data[:8192]:
                    continue
                findings = scan_secrets(data)
                files, size, lines = files + 1, size + len(data), lines + len({finding.line for finding in findings})
                for finding in findings:
                    print(f"{path.relative_to(root)}:{finding.line} {finding.kind}")
        print(f"{root.name}: {files:,} files, {size:,} bytes, {lines} lines")


if __name__ == "__main__":
    main(sys.argv[1:])
