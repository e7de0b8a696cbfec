"""How fast records that wait reach a chain: `python -m benchmarks.outbox`.

On an anvil that makes a block for each transaction. The peer is plain web3: it signs one call of ``record`` after the
other, hands it to the node and waits for its receipt. It keeps no journal, and a record is lost where it dies.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.chain import Chain as Node
from blockchaintracer.core.chain import load_artifact
from blockchaintracer.core.record import Kind, RecordKey, SubjectType
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.keys import KeyStore
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Op, Transaction

COUNT = 1_000
LARGE = 10_000


def measure_flush(count: int = COUNT) -> tuple[float, float]:
    """Return records a second by `outbox flush`, and by plain web3 that sends them one by one."""
    with Node() as node, tempfile.TemporaryDirectory() as folder:
        lab = waiting(Path(folder), node.w3.provider.endpoint_uri, count)  # type: ignore[attr-defined]
        began = time.perf_counter()
        lab.flush()
        ours = count / (time.perf_counter() - began)
        return ours, _plain(node, lab, count)


def count_transactions(count: int = LARGE) -> int:
    """Return the transactions in which so many waiting records go."""
    with Node() as node, tempfile.TemporaryDirectory() as folder:
        lab = waiting(Path(folder), node.w3.provider.endpoint_uri, count)  # type: ignore[attr-defined]
        before = lab.chain.nonce(lab.signer.address)
        lab.flush()
        return lab.chain.nonce(lab.signer.address) - before


def waiting(folder: Path, url: str, count: int) -> Lab:
    """Return a lab whose journal has so many records that wait, on a registry of its own at the node."""
    home = Home(folder / "home")
    KeyStore(home).create("lab", devnet=True)
    lab = Lab(home, rpc=url, key_name="lab")
    lab.chain.ask("anvil_setBalance", lab.signer.address, hex(10**20))
    deploy(lab, open_group_creation=True)
    create_group(lab, "The lab")
    lab.outbox._db.execute("PRAGMA synchronous = OFF")
    for _ in range(count):
        key = _key(lab.signer.address)
        write = Transaction(Op.RECORD, lab.domain.registry, record_id=lab.domain.record_id(key), key=key)
        lab.outbox.add_transaction(lab.chain_id, write, lab.signer.address)
    lab.outbox._db.execute("PRAGMA synchronous = FULL")
    return lab


def _key(author: str) -> RecordKey:
    return RecordKey(
        group=1,
        kind=Kind.DATASET,
        subject_type=SubjectType.FILE,
        author=author,
        subject=os.urandom(32).hex(),
        manifest=os.urandom(32).hex(),
    )


def _plain(node: Node, lab: Lab, count: int) -> float:
    """Records a second of who signs, sends and waits, with the key, the gas and the price known before."""
    from web3 import Web3

    w3 = Web3(Web3.HTTPProvider(node.w3.provider.endpoint_uri))  # type: ignore[attr-defined]
    contract = w3.eth.contract(address=w3.to_checksum_address(lab.registry.address), abi=load_artifact()["abi"])
    account, nonce = lab.signer, lab.chain.nonce(lab.signer.address)
    fees: dict[str, Any] = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9, "type": 2}
    began = time.perf_counter()
    for number in range(count):
        call = contract.functions.record(_key(account.address).as_abi())
        fields = {"chainId": lab.chain_id, "nonce": nonce + number, "gas": 150_000, "value": 0, **fees}
        data = {"to": contract.address, "data": call._encode_transaction_data()}
        sent = w3.eth.send_raw_transaction(account.sign_transaction({**fields, **data}))
        if w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.001)["status"] != 1:
            raise RuntimeError("expected plain web3 to record it")
    return count / (time.perf_counter() - began)


def main() -> int:
    ours, plain = measure_flush()
    print(f"{ours:8.0f} records/s by outbox flush; {plain:8.0f}/s by plain web3 one by one; {ours / plain:.2f} of it")
    print(f"{LARGE:,} records in {count_transactions()} transactions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
