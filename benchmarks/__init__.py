"""What the project measures of itself, each measurement beside something it can be compared with."""

import os
from pathlib import Path


def compiling_once(folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process that keeps what it compiles in `folder`: installers compile, too.

    With ``PYTHONDONTWRITEBYTECODE`` half of a verb's CPU seconds would be those of Python's compiler.
    """
    rest = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return rest | {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), **more}
