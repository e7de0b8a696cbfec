"""Records a table, publishes it, and reads it back as a stranger would: python examples/storage/read_recorded.py

With $BLOCKCHAINTRACER_IPFS_RPC and $BLOCKCHAINTRACER_IPFS_GATEWAYS set it goes to that IPFS node, else to a folder.
"""

import os
from pathlib import Path

import pandas
import sklearn

from blockchaintracer.core.record import Kind
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content

TABLE = Path(sklearn.__file__).parent / "datasets" / "data" / "iris.csv"

lab = Lab(Home("lab"))
deploy(lab, open_group_creation=True)
create_group(lab, "My lab")
record = record_content(lab, Kind.DATASET, TABLE, name="iris")
print(f"recorded as {record.id}")

published = publish(lab, record.id, "ipfs" if os.environ.get("BLOCKCHAINTRACER_IPFS_RPC") else "published")
print(f"published to {published.folder}")

# a stranger has the chain, the id, and no reason to trust the place that the bytes come from
stranger = {"home": "stranger", "rpc": lab.devnet.ensure().url, "registry": lab.registry.address}
place = stranger | {"sources": published.folder}
table = pandas.read_csv(f"record://{record.id}", storage_options=place)
print(f"read {len(table)} rows, verified")
lab.devnet.stop()
