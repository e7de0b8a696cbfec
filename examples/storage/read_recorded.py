"""Records a table, publishes it, and reads it back as a stranger would: python examples/storage/read_recorded.py

With $BLOCKCHAINTRACER_IPFS_RPC and $BLOCKCHAINTRACER_IPFS_GATEWAYS set it goes to that IPFS node, else to a folder.
"""

import os
from pathlib import Path

import pandas
import sklearn

from blockchaintracer.home import Home
from blockchaintracer.model import Kind
from blockchaintracer.operations.lab import Lab
from blockchaintracer.operations.publish import publish
from blockchaintracer.operations.record import record_content
from blockchaintracer.operations.setup import create_group, deploy

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
