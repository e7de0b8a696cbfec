"""A record with three witnesses of its time, all on this machine: python -m examples.witness.witnesses

An authority by `openssl ts`, a second chain by anvil, and a simulator of a calendar with Bitcoin blocks that are mined
in no time: the real ones need the internet and a day. Needs a registry and a group: blockchaintracer deploy --open;
blockchaintracer group create "My lab"
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from blockchaintracer import open_lab
from tests.support.authority import authority
from tests.support.calendar_simulator import calendars
from tests.support.node import anvil


def verb(*arguments: object) -> dict:
    command = [sys.executable, "-m", "blockchaintracer", *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


folder, lab = Path(tempfile.mkdtemp()), open_lab()
data = folder / "data.csv"
data.write_text("x,y\n1,2\n")
record = verb("record", data)["id"]

with calendars() as calendar, authority(folder / "tsa") as tsa, anvil(chain_id=31999) as second:
    rpc = second.provider.endpoint_uri
    there = ("--rpc", rpc, "--chain-id", 31999, "--key", "lab")
    second.rpc("anvil_setBalance", [lab.signer.address, hex(10**20)])
    registry = verb("deploy", "--open", *there)["registry"]
    verb("group", "create", "My lab", "--registry", registry, *there)
    settings = {
        "type": "urn:blockchaintracer:witness-settings:v1",
        "calendars": [calendar.url],
        "authorities": [{"url": tsa.url, "certificate": str(tsa.root)}],
        "chains": [{"registry": f"eip155:31999:{registry.lower()}", "rpc": rpc, "key": "lab"}],
        "bitcoin": {"node": f"{calendar.url}/node", "regtest": True},
    }
    file = folder / "witnesses.json"
    file.write_text(json.dumps(settings))
    added = verb("witness", "add", record, "--settings", file, "--allow-local")["added"]
    print(f"asked      {', '.join(receipt['kind'] for receipt in added)}")

    calendar.mine()
    second.rpc("anvil_mine", ["0x80"])
    verb("witness", "upgrade", record, "--settings", file, "--allow-local")
    [times] = verb("verify", record, "--witness-settings", file, "--check-witness")["times"]
    for witness in times["witnesses"]:
        print(f"{witness['standing']:<10} {witness['who']}: {witness['detail']}")
    print(f"not after  {times['notAfter']}")
