"""Make an `ape run` script of a client verb: the same command, with Ape's networks and accounts in place of the
client's `--rpc`, `--network` and `--key`."""

import os
from typing import Any

import click
from ape import accounts, networks
from ape.api import AccountAPI
from ape.exceptions import RPCTimeoutError
from ape.logging import LogLevel, logger

from blockchaintracer.cli import load
from blockchaintracer.cli.options import GIVEN, Connection
from blockchaintracer.cli.render import wants_json
from blockchaintracer.core.chain import Chain
from blockchaintracer.core.chain.answers import Node, WrongAnswer
from blockchaintracer.core.errors import ChainUnavailable, InputError, KeyStoreError
from blockchaintracer.core.networks import DEVNET, NETWORKS, redact_url

PASSPHRASE = "APE_ACCOUNTS_{alias}_PASSPHRASE"
_STARTS = 3


class ApeSigner:
    """An Ape account as the client's signer.

    Args:
        account: a keyfile, test or hardware account. With APE_ACCOUNTS_<alias>_PASSPHRASE set it signs without asking.
    """

    def __init__(self, account: AccountAPI) -> None:
        self._account = account
        if passphrase := os.environ.get(PASSPHRASE.format(alias=account.alias)):
            account.set_autosign(True, passphrase=passphrase)

    @property
    def address(self) -> str:
        return str(self._account.address)

    @property
    def source(self) -> str:
        return f"Ape account {self._account.alias}"

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        fields = transaction | {"from": self.address}
        signed = self._account.sign_transaction(networks.ethereum.create_transaction(**fields))
        if signed is None:
            raise KeyStoreError(f"{self.source} did not sign the transaction")
        return bytes(signed.serialize_transaction())

    def sign_typed_data(self, document: dict[str, Any]) -> bytes:
        from eth_account.messages import encode_typed_data

        signature = self._account.sign_message(encode_typed_data(full_message=document))
        if signature is None:
            raise KeyStoreError(f"{self.source} did not sign")
        return bytes(signature.encode_rsv())


class _ThroughApe(Node):
    """A node behind Ape's connection."""

    def __init__(self, provider: Any, address: str) -> None:
        super().__init__(address)
        self._provider = provider

    def post(self, request: dict[str, Any]) -> Any:
        try:
            answer = self._provider.web3.provider.make_request(request["method"], request["params"])
        except Exception as error:  # of any plugin of Ape; its text can hold the address with its key
            raise WrongAnswer(type(error).__name__) from None
        return {**answer, "id": request["id"]}


def _connect(ctx: click.Context, choice: str) -> Chain:
    """Open Ape's connection for the time of the command, at the address that the environment sets, if any."""
    network = next((network for network in NETWORKS if f"{choice}:".startswith(f"{network.ape}:")), None)
    uri = os.environ.get(network.rpc_env) if network else None
    settings = {"uri": uri} if uri else None
    for attempts_left in reversed(range(_STARTS)):
        try:
            provider = ctx.with_resource(networks.parse_network_choice(choice, provider_settings=settings))
            break
        except Exception as error:
            # a node that Ape starts takes a port at random, which may be taken meanwhile: it then waits in vain
            if not (attempts_left and isinstance(error, RPCTimeoutError)):
                raise ChainUnavailable(f"Ape can't connect to {choice}: {type(error).__name__}") from None
    return Chain(_ThroughApe(provider, f"{choice} ({redact_url(provider.http_uri or '')})"))


def _account(alias: str) -> AccountAPI:
    if alias.startswith("TEST::"):
        return accounts.test_accounts[int(alias.removeprefix("TEST::"))]
    try:
        return accounts.load(alias)
    except Exception:
        raise InputError(f"expected an Ape account, got {alias!r}", hint="`ape accounts list` shows them.") from None


def _open(command: click.Command) -> click.Command:
    if isinstance(command, click.Group):
        for verb in command.commands.values():
            _open(verb)
        return command
    ours = [param for param in command.params if isinstance(param, Connection)]
    if not ours:
        return command
    command.params = [param for param in command.params if param not in ours]
    command.params += [
        click.Option(
            ["--network"],
            default=f"{DEVNET.ape}:node",
            show_default=True,
            help="Ape's choice of network, ecosystem:network:provider.",
        ),
        click.Option(["--account"], help="Ape account that signs; on the devnet the lab's own key if not said."),
    ]
    run = command.callback
    assert run is not None

    def callback(**options: Any) -> Any:
        ctx = click.get_current_context()
        choice, alias = options.pop("network"), options.pop("account")
        if wants_json():
            # Ape writes on stdout what it does: only the JSON object belongs there
            logger.set_level(LogLevel.WARNING)
        given: dict[str, Any] = {}
        # the embedded devnet is the client's own: it is started when it is needed, on its own port
        if not f"{choice}:".startswith(f"{DEVNET.ape}:"):
            given["connect"] = lambda: _connect(ctx, choice)
        if alias:
            given["signer_given"] = ApeSigner(_account(alias))
        ctx.meta[GIVEN] = given
        return run(**options)

    command.callback = callback
    return command


def door(verb: str) -> click.Command:
    """Return the script of a verb."""
    return _open(load(verb))
