"""Environments of Python tools that only developers need: installed by hash, when they are first used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from compiler import ROOT


def install(name: str, environment: Path, lock: Path) -> None:
    """Install what `lock` pins into `environment`, unless it is there."""
    stamp = environment / lock.name
    if stamp.exists() and stamp.read_text() == lock.read_text():
        return
    print(f"{name}: installing its tools, by hash", flush=True)
    uv = ROOT / ".venv" / "bin" / "uv"
    shutil.rmtree(environment, ignore_errors=True)
    python = environment / "bin" / "python"
    # as in tools/bootstrap.py: certificates that an organisation adds to the machine
    certificates = {"UV_SYSTEM_CERTS": "true"} | os.environ
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    sync = [uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", lock]
    subprocess.run(sync, env=certificates, check=True)
    stamp.write_text(lock.read_text())
