"""What a deployment would do and cost, before anything is paid, and what shows others its source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain import Chain, load_artifact
from blockchaintracer.core.chain.known_code import PROXY, lens_address
from blockchaintracer.core.errors import ChainUnavailable, ContractRevert, InputError, KeyStoreError
from blockchaintracer.core.record import checksummed
from blockchaintracer.lab.chain import factory as factories
from blockchaintracer.lab.chain.factory import Factory, require_cancun
from blockchaintracer.lab.chain.gas_price import GasPrice, gas_price
from blockchaintracer.lab.chain.questions import estimate_gas
from blockchaintracer.lab.estimate import data_fee
from blockchaintracer.lab.files import write_json
from blockchaintracer.lab.groups import salt_of
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Op, Transaction, deployment

_RICH_WEI = 10**24
"""Balance that a simulated sender has: what a deployment takes does not depend on who can pay it."""


@dataclass(frozen=True)
class Step:
    """One transaction of a deployment.

    Args:
        name: ``proxy``, ``factory``, ``lens`` or ``registry``.
        gas: as the node estimates it on top of the steps before; None if it can't.
        cost_wei: at the price of now, with a rollup's data fee where the chain tells it; None without gas.
        most_wei: what the outbox would allow it to cost: a quarter more gas, and twice the base fee.
    """

    name: str
    address: str
    exists: bool
    gas: int | None = None
    cost_wei: int | None = None
    most_wei: int | None = None
    note: str | None = None


@dataclass(frozen=True)
class DeploymentPlan:
    """What a deployment would do.

    Args:
        owner, salt: of the registry; None, as the registry's step, if only the factory is deployed.
        cost_wei: of all steps that are missing; None if one can't be told.
    """

    chain_id: int
    network: str | None
    owner: str | None
    open_group_creation: bool
    salt: str | None
    factory: str
    registry: str | None
    gas_price_wei: int
    steps: tuple[Step, ...]
    cost_wei: int | None
    payer: str | None
    balance_wei: int | None


def plan_deployment(
    lab: Lab,
    *,
    open_group_creation: bool = False,
    name: str = "registry",
    owner: str | None = None,
    factory: str | None = None,
    factory_only: bool = False,
) -> DeploymentPlan:
    """Plan what `deploy` with the same arguments would do now. Nothing is sent, and nothing enters the outbox.

    With a named owner, no key is needed.
    """
    payer = None
    try:
        payer = lab.signer.address
    except (InputError, KeyStoreError):
        if owner is None and not factory_only:
            raise
    chain, maker = lab.chain, Factory(lab.chain, factory)
    require_cancun(chain)
    if maker.exists() or factory:
        maker.require()
    writes: list[tuple[str, Transaction]] = []
    if factory is None:
        writes.append(("proxy", Transaction(Op.FUND_PROXY, PROXY)))
        writes.append(("factory", Transaction(Op.DEPLOY_FACTORY, maker.address)))
        writes.append(("lens", Transaction(Op.DEPLOY_LENS, lens_address())))
    if factory_only:
        owner = None
    else:
        owner = checksummed(owner or payer or "", "the owner's address")
        factories.require_owner(owner)
        salt = salt_of(name)
        write = deployment(chain, owner, open_group_creation=open_group_creation, salt=salt, factory=factory)
        writes.append(("registry", write))
    price = gas_price(chain)
    steps = tuple(_step(lab, what, write, maker, price) for what, write in writes)
    missing = [step.cost_wei for step in steps if not step.exists]
    return DeploymentPlan(
        chain_id=lab.chain_id,
        network=chain.network.name if chain.network else None,
        owner=owner,
        open_group_creation=open_group_creation,
        salt=None if factory_only else salt,
        factory=maker.address,
        registry=None if factory_only else write.registry,
        gas_price_wei=price.now,
        steps=steps,
        cost_wei=None if None in missing else sum(cost for cost in missing if cost is not None),
        payer=payer,
        balance_wei=None if payer is None else chain.balance(payer),
    )


def _step(lab: Lab, name: str, write: Transaction, maker: Factory, price: GasPrice) -> Step:
    chain = lab.chain
    if chain.has_code(write.registry):
        return Step(name, write.registry, exists=True)
    if write.op is Op.FUND_PROXY:
        # what the signer does not spend is lost: it has no key
        transfer = 21_000 if write.value(chain) else 0
        cost, most = (transfer * wei + write.value(chain) for wei in (price.now, price.most * 5 // 4))
        problem = factories.proxy_problem(chain)
        paid = f"{write.value(chain) / 10**18:g} of it to {factories.PROXY_SIGNER}, whose transaction creates the proxy"
        return Step(name, write.registry, False, transfer + factories.PROXY_GAS, cost, most, problem or paid)
    gas = _gas(lab, write, maker)
    if gas is None:
        note = "the node can't estimate it before the steps above are done"
        return Step(name, write.registry, False, note=note)
    fee, remark = _data_fee(lab.chain, write)
    return Step(name, write.registry, False, gas, gas * price.now + fee, gas * 5 // 4 * price.most + fee, remark)


def _gas(lab: Lab, write: Transaction, maker: Factory) -> int | None:
    """The node's estimate, as if the code that is still missing were in its place."""
    chain = lab.chain
    codes = {PROXY: factories.PROXY_CODE} | maker.code()
    there: Any = {
        address: {"code": "0x" + code.hex()}
        for address, code in codes.items()
        if write.op is Op.DEPLOY or address == PROXY
        if not chain.has_code(address)
    }
    sender = factories.PROXY_SIGNER
    to, data = write.call(chain)
    call: Any = {"from": sender, "to": to, "data": data}
    try:
        return estimate_gas(chain, call, "latest", there | {sender: {"balance": hex(_RICH_WEI)}})
    except (ChainUnavailable, ContractRevert):
        return None


def _data_fee(chain: Chain, write: Transaction) -> tuple[int, str | None]:
    """What a rollup adds for publishing the transaction, in wei, and a note about it."""
    network = chain.network
    if network is None:
        return 0, "if this chain is a rollup, it may add a fee for publishing the data"
    if network.kind != "op-stack":
        return 0, None
    size = len(write.call(chain)[1]) // 2 - 1
    try:
        return data_fee(chain, size), "with the fee for publishing it on Ethereum, at most"
    except ChainUnavailable:
        return 0, "without the fee for publishing it on Ethereum, which the chain didn't tell"


def write_verification_input(file: Path) -> dict[str, Any]:
    """Write the compiler's standard JSON input of registry and factory, for explorers to compile and compare.

    The file holds sources and settings. The compiler's version, for which that input has no field (the compiler refuses
    unknown ones), and the contracts' names are what is returned: ``{"compiler", "contracts": {name: source}, "file"}``.
    """
    shipped = load_artifact("verification")
    write_json(file, shipped["input"], mode=0o666)
    return {"compiler": "v" + shipped["compiler"], "contracts": shipped["contracts"], "file": str(file)}
