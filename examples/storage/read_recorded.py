"""Records a table, publishes it, and reads it back as a stranger would: python examples/storage/read_recorded.py

With $BLOCKCHAINTRACER_IPFS_RPC and $BLOCKCHAINTRACER_IPFS_GATEWAYS set it goes to that IPFS node, else to a folder.
"""

import os
from pathlib import Path

import pandas
import sklearn

from blockchaintracer import open_lab

TABLE = Path(sklearn.__file__).parent / "datasets" / "data" / "iris.csv"

lab = open_lab("lab")
lab.deploy(open_group_creation=True)
lab.create_group("My lab")
record = lab.record(TABLE, "dataset", name="iris")
print(f"recorded as {record.id}")

published = lab.publish(record.id, "ipfs" if os.environ.get("BLOCKCHAINTRACER_IPFS_RPC") else "published")
print(f"published to {published}")

# a stranger has the chain, the id, and no reason to trust the place that the bytes come from
stranger = {"home": "stranger", "rpc": lab.node_url(), "chain_id": lab.chain_id, "registry": lab.registry.address}
place = stranger | {"sources": published}
table = pandas.read_csv(f"record://{record.id}", storage_options=place)
print(f"read {len(table)} rows, verified")
lab.stop_devnet()
