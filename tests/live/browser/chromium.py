"""A Chromium that comes by npm, driven by a script of this folder."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.support.labs import ROOT
from tools import npm

HERE = Path(__file__).resolve().parent
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""


UNPACK = 'import chromium from "@sparticuz/chromium"; await chromium.executablePath();'


def drive(script: str, request: dict[str, Any], folder: Path) -> Any:
    """What a script prints as JSON about a request. Chromium's caches go into `folder`."""
    npm.install(HERE)
    unpacked = ROOT / ".build" / "browser"
    unpacked.mkdir(parents=True, exist_ok=True)
    # what Chromium is linked with comes along, too, and is unpacked where the package sees a Lambda
    unpacking = {"TMPDIR": str(unpacked), "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs24.x"}
    # the fonts, too; the package's own list of folders names /tmp/fonts, wherever they were unpacked
    fonts = folder / "fonts.conf"
    fonts.write_text(FONTS.format(fonts=unpacked / "fonts", cache=folder / "cache"))
    unpacking["FONTCONFIG_FILE"] = str(fonts)
    # two test processes would unpack over each other
    with (ROOT / ".build" / "browser-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(
            [npm.NODE, "--input-type=module", "--eval", UNPACK], cwd=HERE, env=os.environ | unpacking, check=True
        )
    done = subprocess.run(
        [npm.NODE, HERE / script],
        input=json.dumps(request),
        cwd=HERE,
        env=os.environ | unpacking,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
