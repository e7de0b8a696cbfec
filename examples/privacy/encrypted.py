"""Records data that a reviewer alone can read, and shows values one by one: python examples/privacy/encrypted.py

Needs a registry and a group: blockchaintracer deploy --open; blockchaintracer group create "My lab"
"""

from pathlib import Path

from blockchaintracer import MLTracer
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.private.age import new_identity
from blockchaintracer.lab.private.decrypt import decrypt_private, decrypt_record
from blockchaintracer.lab.private.disclose import disclose, verify_disclosure

identity, reviewer = new_identity()  # the reviewer's: only the second half, age1…, is ever given to the lab

patients = Path("patients.csv")
patients.write_text("id,dose,outcome\n1,5,0.4\n2,9,0.7\n")
with MLTracer().start_run("dose response", encrypt_to=[reviewer]) as run:
    run.log_input(patients)
    run.log_param("dose", 9, private=True)
    run.log_metric("effect", 0.3, private=True)
print(f"recorded   {run.recorded.id}: {len(run.document.private.fields())} values are committed to and not shown")

lab = Lab(Home())
[data] = [link.parent for link in lab.registry.find_record(run.recorded.id).key.parents]
shown = decrypt_record(lab, data, Path("reviewed.csv"), identities=[identity])
print(f"reviewer   reads {shown.name}: {Path(shown.path).read_bytes() == patients.read_bytes()}")
print(f"reviewer   reads {decrypt_private(lab, run.recorded.id, [identity])}")

disclose(lab, run.recorded.id, ["effect"], Path("effect.json"))
report = verify_disclosure(lab, Path("effect.json"))
print(f"anyone     {report.proves[-1]}")
