"""Which registries a lab knows on each chain, and the list that a project publishes of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.networks import DEVNET, network_by_chain_id
from blockchaintracer.core.plain_json import as_json, parse_json
from blockchaintracer.lab.files import fields_from, write_json
from blockchaintracer.lab.formats import DEPLOYMENTS
from blockchaintracer.lab.lab_folder import Home

_FOLDER = "deployments"
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
    """List the registries that the lab's folder knows on a chain, oldest first: what it deployed, imported or noted.

    A list in the working folder is never read: it may be a stranger's, and would choose whom the reader believes.
    """
    return _read(home.path / _FOLDER / _name(chain_id), chain_id)


def remember_registry(chain_id: int, home: Home, registry: KnownRegistry) -> Path:
    """Add a registry to those known on a chain, or replace the entry of its address. Return the file."""
    return _add(home.deployments / _name(chain_id), chain_id, registry, 0o600)


def note_for_others(chain_id: int, registry: KnownRegistry) -> Path | None:
    """Add a registry on a public network to the ``deployments`` folder of the project around the current folder, to be
    committed. Return the file; None without such a folder."""
    network = network_by_chain_id(chain_id)
    for folder in (Path.cwd(), *Path.cwd().parents) if network and network is not DEVNET else ():
        if (folder / _PROJECT_FILE).is_file() and (folder / _FOLDER).is_dir():
            return _add(folder / _FOLDER / _name(chain_id), chain_id, registry, 0o666)
    return None


def forget_registries(chain_id: int, home: Home) -> None:
    """Forget the registries of a chain that is no more."""
    (home.path / _FOLDER / _name(chain_id)).unlink(missing_ok=True)


def _name(chain_id: int) -> str:
    network = network_by_chain_id(chain_id)
    return f"{network.name if network else chain_id}.json"


def _read(path: Path, chain_id: int) -> list[KnownRegistry]:
    if not path.exists():
        return []
    try:
        data = parse_json(path.read_bytes(), path.name)
        DEPLOYMENTS.check_header(data, str(path))
        if data["chainId"] != str(chain_id):
            raise ValueError(f"it is of chain {data['chainId']}")
        return [fields_from(KnownRegistry, entry) for entry in data["registries"]]
    except UnknownVersion:
        raise
    except (OSError, InputError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"expected the registries of chain {chain_id} in {path}, got: {error}",
            hint="It only lists registries. Delete it, and name yours once by --registry ADDRESS; or mend it: "
            "docs/formats.md has its fields.",
        ) from error


def _add(path: Path, chain_id: int, registry: KnownRegistry, mode: int) -> Path:
    others = [known for known in _read(path, chain_id) if known.address.lower() != registry.address.lower()]
    entries = as_json(sorted((*others, registry), key=lambda known: known.block))
    network = network_by_chain_id(chain_id)
    place = {"chainId": str(chain_id), "network": network.name if network else None}
    document = DEPLOYMENTS.header() | place | {"registries": entries}
    write_json(path, document, problem=f"the registry {registry.address} can't be noted in {path}", mode=mode)
    return path
