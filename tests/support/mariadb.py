"""A MariaDB server of a test's own: the machine's programs, as another user than root, on a socket in its folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest


def _account() -> pwd.struct_passwd:
    if os.geteuid():
        return pwd.getpwuid(os.geteuid())
    with suppress(KeyError):
        return pwd.getpwnam("mysql")
    return pwd.getpwnam("nobody")


@contextmanager
def mariadb() -> Iterator[str]:
    """Run a server; yield the address of an empty database, for SQLAlchemy and PyMySQL."""
    places = f"{os.environ['PATH']}:/usr/sbin:/usr/bin"
    install, server = (shutil.which(name, path=places) for name in ("mariadb-install-db", "mariadbd"))
    if not (install and server):
        pytest.skip("neither mariadb-install-db nor mariadbd is here")
    pymysql = pytest.importorskip("pymysql")
    account, folder = _account(), Path(tempfile.mkdtemp(prefix="mariadb-"))
    as_user: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    more: dict[str, Any] = {"cwd": folder, "stderr": subprocess.STDOUT} | (as_user if os.geteuid() == 0 else {})
    socket, data = folder / "socket", f"--datadir={folder}/data"
    try:
        os.chown(folder, account.pw_uid, account.pw_gid)
        made = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run([install, "--no-defaults", data, *made], check=True, stdout=subprocess.PIPE, **more)
        with (folder / "log").open("wb") as log:
            options = [f"--socket={socket}", "--skip-networking", "--character-set-server=utf8mb4"]
            process = subprocess.Popen([server, "--no-defaults", data, *options], stdout=log, **more)
        try:
            until = time.monotonic() + 120
            while True:
                try:
                    with pymysql.connect(unix_socket=str(socket), user="root") as connection:
                        connection.cursor().execute("CREATE DATABASE lab")
                    break
                except pymysql.err.OperationalError:
                    if process.poll() is not None or time.monotonic() > until:
                        raise AssertionError((folder / "log").read_text()[-3000:]) from None
                    time.sleep(0.2)
            yield f"mysql+pymysql://root@localhost/lab?unix_socket={socket}"
        finally:
            process.terminate()
            process.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
