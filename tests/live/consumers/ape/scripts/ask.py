"""Deploys the gate and asks it; prints the answers as JSON."""

import json
import os

import ape
import click


@click.command(cls=ape.cli.ConnectedProviderCommand)
def cli() -> None:
    case = json.loads(os.environ["CASE"])
    owner = ape.accounts.test_accounts[0]

    def ask(trusted: int, key: dict) -> str:
        gate = owner.deploy(ape.project.ModelGate, case["registry"], [trusted])
        try:
            gate.deploy(key, sender=owner)
        except ape.exceptions.CustomError as error:
            return error.name
        return "0x" + bytes(gate.model()).hex()

    answers = [ask(*question) for question in case["questions"]]
    print("ANSWERS " + json.dumps(answers))
