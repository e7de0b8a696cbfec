"""`blockchaintracer deploy`: the lab's registry, and what it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.options import NEW_FILE, lab_verb
from blockchaintracer.cli.render import Answer, Part, coins, table
from blockchaintracer.core.chain.known_code import lens_address
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.lab.chain.factory import constructor_arguments
from blockchaintracer.lab.deploy import DeploymentPlan, Step, plan_deployment, write_verification_input
from blockchaintracer.lab.groups import deploy, deploy_factory
from blockchaintracer.lab.lab import Lab


@lab_verb(writes=True)
@click.option("--open", "open_groups", is_flag=True, help="Let anyone create groups, not only the owner.")
@click.option("--owner", metavar="ADDRESS", help="The owner. [default: the signer]")
@click.option("--name", default="registry", show_default=True, help="Tells several registries of one owner apart.")
@click.option("--dry-run", is_flag=True, help="Only show the addresses, and what each transaction would cost.")
@click.option("--factory-only", is_flag=True, help="Only the factory and the lens, for others to use.")
@click.option("--factory", metavar="ADDRESS", help="Another factory than the usual, for a chain that cannot have it.")
@click.option(
    "--verification-input",
    "verification",
    type=NEW_FILE,
    metavar="FILE",
    help="Also write the compiler's input, to be handed to a block explorer.",
)
def command(
    lab: Lab,
    open_groups: bool,
    owner: str | None,
    name: str,
    dry_run: bool,
    factory_only: bool,
    factory: str | None,
    verification: Path | None,
) -> Answer:
    """Deploy your lab's registry, or answer with the existing one.

    Owner, rule and name are in its address, so the same command never deploys it twice, and gives the same address on
    every chain. Its owner has no power over records or groups. What the chain lacks comes first: the deployment proxy,
    the factory that makes registries, and the lens, by which many questions to a registry are one call.

    \b
    Examples:
      blockchaintracer deploy --open
      blockchaintracer deploy --network sepolia --key lab --dry-run
      blockchaintracer deploy --network sepolia --key lab \\
        --verification-input registry.json
      ape run deploy --network ethereum:sepolia --account lab
    """
    if factory and factory_only:
        raise InputError("expected --factory or --factory-only, got both")
    choice: dict[str, Any] = {"open_group_creation": open_groups, "owner": owner, "name": name, "factory": factory}
    data: dict[str, Any]
    text: list[Part]
    if dry_run:
        plan = plan_deployment(lab, factory_only=factory_only, **choice)
        data, text = as_json(plan), [_steps(plan), *_cost(plan)]
    elif factory_only:
        address = deploy_factory(lab).address
        data = {"factory": address, "lens": lens_address(), "chainId": lab.chain_id, "registry": None}
        text = [f"The factory {address} and the lens {lens_address()} are on {lab.chain.name}."]
    else:
        result = deploy(lab, **choice)
        data, state = as_json(result), "is there already" if result.existing else "is deployed"
        text = [
            f"The registry {result.registry} {state} on {lab.chain.name}, block {result.block}.",
            f"Owner {result.owner}; groups are created by {'anyone' if open_groups else 'the owner'}.",
            f"Noted in {result.noted_in}",
        ]
        if result.in_use != result.registry:
            text.append(
                f"This lab still records to {result.in_use}. `group create NAME --registry {result.registry}`, or "
                "`group use NUMBER` with the same option, changes that."
            )
    if verification:
        data["verification"] = written = write_verification_input(verification)
        if data["registry"]:
            arguments = constructor_arguments(data["owner"], open_groups).hex()
            written["constructorArguments"] = {data["registry"]: arguments}
            text.append(f"Constructor arguments of the registry: {arguments}")
        names = ", ".join(f"{source}:{contract}" for contract, source in written["contracts"].items())
        text.append(f"Wrote {verification}: standard JSON input for solc {written['compiler']}, of {names}.")
    return Answer(data, *text)


def _steps(plan: DeploymentPlan) -> Part:
    return table(None, ["", "address", "gas", "cost", "at most", ""], map(_row, plan.steps))


def _row(step: Step) -> list[str | None]:
    if step.exists:
        return [step.name, step.address, None, None, None, "is there"]
    gas = None if step.gas is None else f"{step.gas:,}"
    return [step.name, step.address, gas, coins(step.cost_wei), coins(step.most_wei), step.note or ""]


def _cost(plan: DeploymentPlan) -> Iterator[str]:
    yield f"Gas costs {plan.gas_price_wei / 10**9:g} gwei now. Nothing was sent."
    if plan.cost_wei == 0:
        yield "Everything is there: there is nothing to pay."
    elif plan.cost_wei is not None:
        yield f"All of it: {coins(plan.cost_wei)} of the chain's coin, at the price of now."
    if plan.payer is not None and plan.balance_wei is not None:
        yield f"{plan.payer} would pay, and has {coins(plan.balance_wei)}."
