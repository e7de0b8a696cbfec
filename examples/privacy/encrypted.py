"""Records data that a reviewer alone can read, and shows values one by one: python examples/privacy/encrypted.py

Needs a registry and a group: blockchaintracer deploy --open; blockchaintracer group create "My lab"
"""

import json
import subprocess
import sys
from pathlib import Path

from pyrage import x25519

from blockchaintracer import MLTracer, open_lab


def verb(*arguments: str) -> dict:
    command = [sys.executable, "-m", "blockchaintracer", *arguments, "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


identity = x25519.Identity.generate()  # the reviewer's, as `age-keygen` makes one
Path("reviewer.txt").write_text(f"{identity}\n")
reviewer = str(identity.to_public())  # only this half, age1…, is ever given to the lab

patients = Path("patients.csv")
patients.write_text("id,dose,outcome\n1,5,0.4\n2,9,0.7\n")
with MLTracer().start_run("dose response", encrypt_to=[reviewer]) as run:
    run.log_input(patients)
    run.log_param("dose", 9, private=True)
    run.log_metric("effect", 0.3, private=True)
print(f"recorded   {run.recorded.id}: {len(run.document.private.fields())} values are committed to and not shown")

[data] = [link.parent for link in open_lab().registry.find_record(run.recorded.id).parents]
shown = verb("decrypt", data, "-o", "reviewed.csv", "--identity", "reviewer.txt")
print(f"reviewer   reads {shown['name']}: {Path(shown['path']).read_bytes() == patients.read_bytes()}")
print(f"reviewer   reads {verb('decrypt', run.recorded.id, '--values', '--identity', 'reviewer.txt')['values']}")

verb("disclose", run.recorded.id, "effect", "-o", "effect.json")
print(f"anyone     {verb('verify', '--proof', 'effect.json')['proves'][-1]}")
