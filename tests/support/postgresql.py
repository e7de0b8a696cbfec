"""A PostgreSQL server of a test's own: the machine's programs, as another user than root, on a socket in its folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PLACES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/bin"), Path("/usr/bin"))


def _programs() -> Path:
    """The folder of PostgreSQL's programs, of Debian's package or of PyPI's pgserver."""
    places = list(_PLACES)
    if found := shutil.which("initdb"):
        places.append(Path(found).resolve().parent)
    try:
        import pgserver  # type: ignore[import-not-found, unused-ignore]

        places.append(Path(pgserver.__file__).parent / "pginstall" / "bin")
    except ImportError:
        pass
    for place in places:
        if (place / "initdb").exists() and (place / "pg_ctl").exists():
            return place
    pytest.skip("neither PostgreSQL's initdb and pg_ctl nor the package pgserver is here")


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server; yield the address of its database."""
    programs = _programs()
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0:
        try:
            account = pwd.getpwnam(user)
        except KeyError:
            user = "nobody"
            account = pwd.getpwnam(user)
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, account.pw_uid, account.pw_gid)

        def run(*command: str) -> None:
            more = {"user": user, "group": account.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
            assert done.returncode == 0, done.stderr

        # a locale of its own sorts otherwise than SQLite does, if nothing is done about it
        run(
            str(programs / "initdb"),
            "-D",
            "data",
            "-U",
            "lab",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C.UTF-8",
        )
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections=40"
        run(str(programs / "pg_ctl"), "-D", "data", "-w", "-l", "log", "-o", options, "start")
        try:
            yield f"postgresql://lab@/postgres?host={folder}"
        finally:
            run(str(programs / "pg_ctl"), "-D", "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
