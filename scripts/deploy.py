"""`ape run deploy`: the client's verb under Ape, and `--verify`, for which Ape's explorer plugins are needed."""

import copy
from typing import Any

import click
from ape import networks, project
from ape.api import ExplorerAPI

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from scripts._door import door

OTHERWISE = "Write what the explorer asks for to a file, and hand it in there: --verification-input FILE."


def _explorer(choice: str) -> ExplorerAPI:
    """The explorer that Ape knows for a network; asked for before anything is paid."""
    explorer = networks.get_provider_from_choice(choice).network.explorer
    if explorer is None:
        raise InputError(
            f"Ape has no block explorer for {choice}",
            hint="For Etherscan's: `pip install ape-etherscan` and a key of yours in $ETHERSCAN_API_KEY. " + OTHERWISE,
        )
    return explorer


def _publish(explorer: ExplorerAPI, contract: str, address: str) -> None:
    # the plugin looks the contract up in Ape's cache, which this fills
    project.get_contract(contract).at(address)
    try:
        explorer.publish_contract(address)
    except Exception as error:
        raise BlockchainTracerError(
            f"{address} is deployed, but {explorer.name} did not verify it: {type(error).__name__}: {error}",
            hint=OTHERWISE,
        ) from None
    click.echo(f"{contract} {address}: handed to {explorer.name}, {explorer.get_address_url(address)}", err=True)


_client = door("deploy")
_run = _client.callback
assert _run is not None


def _deploy(verify: bool, **options: Any) -> Any:
    if not verify:
        return _run(**options)
    if options["dry_run"]:
        raise InputError("expected --verify or --dry-run, got both: there would be nothing to verify")
    explorer = _explorer(options["network"])
    answer = _run(**options)
    answer.show()
    _publish(explorer, "LabRegistryFactory", answer.data["factory"])
    if answer.data["lens"]:
        _publish(explorer, "RegistryLens", answer.data["lens"])
    if answer.data["registry"]:
        _publish(explorer, "LabRegistry", answer.data["registry"])
    return None


# a copy: Ape loads a script more than once, and the client's own command stays as it is
cli = copy.copy(_client)
cli.params = [
    *_client.params,
    click.Option(["--verify"], is_flag=True, help="Show the source to the network's block explorer."),
]
cli.callback = _deploy
