"""`blockchaintracer deploy`: the lab's registry, and what it stands on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, show, table
from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.chain.factory import constructor_arguments
from blockchaintracer.lab.deploy import DeploymentPlan, Step, plan_deployment, write_verification_input
from blockchaintracer.lab.groups import deploy, deploy_factory
from blockchaintracer.lab.lab import Lab


@click.command(cls=Verb)
@lab_options
@click.option("--open", "open_groups", is_flag=True, help="Let anyone create groups, not only the owner.")
@click.option("--owner", metavar="ADDRESS", help="Who owns it; the signer if not said.")
@click.option("--name", default="registry", show_default=True, help="Tells several registries of one owner apart.")
@click.option("--dry-run", is_flag=True, help="Only tell the addresses, and what each transaction would cost.")
@click.option("--factory-only", is_flag=True, help="Only the factory, for others to deploy by.")
@click.option("--factory", metavar="ADDRESS", help="Another factory than the usual, where a chain couldn't have it.")
@click.option(
    "--verification-input",
    "verification",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the compiler's input, to be handed to a block explorer.",
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    open_groups: bool,
    owner: str | None,
    name: str,
    dry_run: bool,
    factory_only: bool,
    factory: str | None,
    verification: Path | None,
    **options: Any,
) -> dict[str, Any]:
    """Deploy your lab's registry, or answer with the one that is there.

    Owner, rule and name are in its address, so the same command never deploys it twice, and gives the same address on
    every chain. Its owner has no power over records or groups. What it is deployed by comes first where the chain
    lacks it: the factory, and the deployment proxy.

    \b
    Examples:
      blockchaintracer deploy --open
      blockchaintracer deploy --network sepolia --key lab --dry-run
      blockchaintracer deploy --network sepolia --key lab --verification-input registry.json
      ape run deploy --network ethereum:sepolia --account lab
    """
    if factory and factory_only:
        raise InputError("expected --factory or --factory-only, got both")
    lab = make_lab(ctx, options)
    if dry_run:
        plan = plan_deployment(
            lab, open_group_creation=open_groups, owner=owner, name=name, factory=factory, factory_only=factory_only
        )
        data, lines = asdict(plan), _cost(plan)
    elif factory_only:
        address = deploy_factory(lab).address
        data = {"factory": address, "chain_id": lab.chain_id, "registry": None}
        lines = [f"The factory {address} is on {lab.chain.name}."]
    else:
        data, lines = _deploy(lab, open_groups, owner, name, factory)
    if verification:
        shown = write_verification_input(verification)
        if data["registry"]:
            arguments = constructor_arguments(data["owner"], open_groups).hex()
            shown["constructorArguments"] = {data["registry"]: arguments}
            lines.append(f"Constructor arguments of the registry: {arguments}")
        data["verification"] = shown
        names = ", ".join(f"{source}:{contract}" for contract, source in shown["contracts"].items())
        lines.append(f"Wrote {verification}: standard JSON input for solc {shown['compiler']}, of {names}.")
    if dry_run and not ctx.params["as_json"]:
        table(None, ["", "address", "gas", "cost", "at most", ""], [_row(step) for step in plan.steps])
    show(ctx, data, *lines)
    return data


def _deploy(
    lab: Lab, open_groups: bool, owner: str | None, name: str, factory: str | None
) -> tuple[dict[str, Any], list[str]]:
    result = deploy(lab, open_group_creation=open_groups, owner=owner, name=name, factory=factory)
    verb = "is there already" if result.existing else "is deployed"
    return asdict(result), [
        f"The registry {result.registry} {verb} on {lab.chain.name}, block {result.block}.",
        f"Owner {result.owner}; groups are created by {'anyone' if open_groups else 'the owner'}.",
        f"Noted in {result.noted_in}",
    ]


def _row(step: Step) -> list[str]:
    if step.exists:
        return [step.name, step.address, "-", "-", "-", "is there"]
    gas = "-" if step.gas is None else f"{step.gas:,}"
    return [step.name, step.address, gas, _coins(step.cost_wei), _coins(step.most_wei), step.note or ""]


def _cost(plan: DeploymentPlan) -> list[str]:
    lines = [f"Gas costs {plan.gas_price_wei / 10**9:g} gwei now. Nothing was sent."]
    if plan.cost_wei == 0:
        lines.append("Everything is there: there is nothing to pay.")
    elif plan.cost_wei is not None:
        lines.append(f"All of it: {_coins(plan.cost_wei)} of the chain's coin, at the price of now.")
    if plan.payer is not None and plan.balance_wei is not None:
        lines.append(f"{plan.payer} would pay, and has {_coins(plan.balance_wei)}.")
    return lines


def _coins(wei: int | None) -> str:
    return "-" if wei is None else f"{wei / 10**18:.9f}"
