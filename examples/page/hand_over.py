"""Puts page, proof and data of a record into a folder to be given away: `python hand_over.py ID DATA FOLDER`."""

import shutil
import subprocess
import sys
from pathlib import Path

record, data, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
verb = [sys.executable, "-m", "blockchaintracer"]
folder.mkdir()
subprocess.run([*verb, "page", "-o", folder / "check.html"], check=True)
subprocess.run([*verb, "export-proof", record, "-o", folder / "record.proof"], check=True)
(shutil.copytree if data.is_dir() else shutil.copy2)(data, folder / data.name)
print(f"Give {folder} away: its reader opens check.html and drops the folder on it.")
