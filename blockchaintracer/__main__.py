"""`python -m blockchaintracer`: the command line."""

import sys
from pathlib import Path

if not sys.flags.safe_path and sys.path[0] in ("", str(Path.cwd())):
    # Python puts the working folder first, whose modules may be a stranger's
    del sys.path[0]

from blockchaintracer.cli import main

if __name__ == "__main__":
    main()
