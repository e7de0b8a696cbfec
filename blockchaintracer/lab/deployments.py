"""Which registries a lab knows on each chain: its own list, and the repository's for public networks."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from blockchaintracer.core.errors import StoreError
from blockchaintracer.core.networks import DEVNET, network_by_chain_id
from blockchaintracer.lab.files import write_json
from blockchaintracer.lab.lab_folder import Home

DEPLOYMENTS = "deployments"
_PROJECT_FILE = "ape-config.yaml"


@dataclass(frozen=True, slots=True)
class KnownRegistry:
    """A registry that was deployed or chosen.

    Args:
        transaction: 0x-hex hash of its deployment.
        block: number of the block that holds it; nothing of it is to be found before.
        factory: 0x-hex address of the factory that deployed it; None, as all below, if it isn't known.
        salt: 0x-hex, which with factory, owner and rule leads to the same address on every chain.
        genesis: 0x-hex hash of the chain's first block: a chain id can be used twice.
        code_hash: 0x-hex Keccak-256 of its code there.
    """

    address: str
    owner: str
    transaction: str
    block: int
    version: str
    factory: str | None = None
    open_group_creation: bool | None = None
    salt: str | None = None
    genesis: str | None = None
    code_hash: str | None = None


def registries(chain_id: int, home: Home) -> list[KnownRegistry]:
    """List the registries known on a chain, oldest first.

    For a public network they are in the repository's ``deployments`` folder. For the devnet, and without a repository,
    they are in the lab's working folder.
    """
    path = _deployments(chain_id, home)
    if not path.exists():
        return []
    try:
        data = json.loads(path.read_bytes())
        if data["chainId"] != chain_id:
            raise ValueError(f"it is of chain {data['chainId']}")
        return [KnownRegistry(**entry) for entry in data["registries"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"expected the registries of chain {chain_id} in {path}, got: {error}",
            hint='Expected is {"chainId", "registries": [{"address", "owner", "transaction", "block", "version"}]}: '
            "mend or delete it.",
        ) from error


def remember_registry(chain_id: int, home: Home, registry: KnownRegistry) -> Path:
    """Add a registry to those known on a chain, or replace the entry of its address. Return the file."""
    others = [known for known in registries(chain_id, home) if known.address.lower() != registry.address.lower()]
    entries = [asdict(known) for known in sorted((*others, registry), key=lambda known: known.block)]
    path = _deployments(chain_id, home)
    network = network_by_chain_id(chain_id)
    document = {"chainId": chain_id, "network": network.name if network else None, "registries": entries}
    write_json(path, document, problem=f"the registry {registry.address} can't be noted in {path}", mode=0o666)
    return path


def forget_registries(chain_id: int, home: Home) -> None:
    """Forget the registries of a chain that is no more."""
    _deployments(chain_id, home).unlink(missing_ok=True)


def _deployments(chain_id: int, home: Home) -> Path:
    network = network_by_chain_id(chain_id)
    name = f"{network.name if network else chain_id}.json"
    if network and network is not DEVNET:
        for folder in (Path.cwd(), *Path.cwd().parents):
            if (folder / _PROJECT_FILE).is_file() and (folder / DEPLOYMENTS).is_dir():
                return folder / DEPLOYMENTS / name
    return home.path / DEPLOYMENTS / name
