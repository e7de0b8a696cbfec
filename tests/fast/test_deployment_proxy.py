"""The transaction of the deployment proxy."""

import rlp
from eth_account import Account
from eth_utils import keccak, to_checksum_address

from blockchaintracer.lab.chain import factory as factories


def test_the_proxy_s_transaction_is_what_it_is_said_to_be():
    assert Account.recover_transaction(factories.PROXY_TRANSACTION) == factories.PROXY_SIGNER
    assert keccak(factories.PROXY_TRANSACTION).hex().startswith("eddf9e61fb9d8f51")
    created = keccak(rlp.encode([bytes.fromhex(factories.PROXY_SIGNER[2:]), 0]))[12:]
    assert to_checksum_address(created) == factories.PROXY
    nonce, price, gas, to, value, data, v, _, _ = rlp.decode(factories.PROXY_TRANSACTION)
    assert (nonce, to, value, v) == (b"", b"", b"", b"\x1b"), "no chain id is in it"
    assert int.from_bytes(price) * int.from_bytes(gas) == factories.PROXY_COST_WEI
    assert data == factories.PROXY_INIT_CODE
