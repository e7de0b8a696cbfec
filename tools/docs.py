"""Builds the documentation: `make docs`. Every warning is an error, and every internal link and anchor is checked.

mkdocs and typedoc are installed on demand, by hash, into places of their own.
"""

import os
import re
import subprocess
import sys

from compiler import ROOT
from locked import install
from npm import NODE
from npm import install as install_packages

ENVIRONMENT = ROOT / ".toolchain" / "docs"
SITE = ROOT / ".build" / "site"
_LOADS = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["']?(https?:)?//""")
"""What a browser would fetch from elsewhere. A link that a reader follows (<a>) is none."""


def render_sdk() -> None:
    """Render the reference of the SDK, which tools/docs_hooks.py puts into the site."""
    folder = ROOT / "tools" / "typedoc"
    install_packages(folder)
    subprocess.run([NODE, folder / "node_modules" / "typedoc" / "bin" / "typedoc"], cwd=folder, check=True)


def main() -> int:
    """Build, and refuse pages that load anything from elsewhere."""
    install("docs", ENVIRONMENT, ROOT / "locks" / "docs.txt")
    render_sdk()
    mkdocs = ENVIRONMENT / "bin" / "mkdocs"
    variables = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # an advertisement
    done = subprocess.run([mkdocs, *(sys.argv[1:] or ["build", "--quiet"])], cwd=ROOT, env=variables, check=False)
    if done.returncode or sys.argv[1:]:
        return done.returncode
    pages = sorted(SITE.rglob("*.html"))
    loading = [page.relative_to(SITE) for page in pages if _LOADS.search(page.read_text())]
    for page in loading:
        print(f"{page} loads something from elsewhere", file=sys.stderr)
    print(f"{len(pages)} pages in {SITE.relative_to(ROOT)}")
    return bool(loading)


if __name__ == "__main__":
    sys.exit(main())
