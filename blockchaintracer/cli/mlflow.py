"""`blockchaintracer mlflow`: MLflow's runs and models as records, and back."""

from __future__ import annotations

from typing import Any

import click

from blockchaintracer.cli.common import F, Verb, VerbGroup, lab_options, make_lab, show


def tracking_option(function: F) -> F:
    """The option that says where MLflow keeps its runs."""
    return click.option(
        "--tracking-uri",
        metavar="URI",
        envvar="MLFLOW_TRACKING_URI",
        help="MLflow's server or store; one with a password only by the variable. [env: MLFLOW_TRACKING_URI]",
    )(function)


@click.group(cls=VerbGroup)
def command() -> None:
    """Record MLflow runs and models, tell MLflow of it, and rebuild runs from their records.

    Runs are recorded when they end with `MLFLOW_TRACKING_URI=anchor+sqlite:///mlflow.db` (any URI after `anchor+`), or
    with `blockchaintracer.mlflow.autolog()`. `blockchaintracer verify mlflow:RUN_ID` says what was changed since.

    \b
    Examples:
      blockchaintracer mlflow flush
      blockchaintracer verify mlflow:RUN_ID --tracking-uri sqlite:///mlflow.db
    """


@command.command(cls=Verb)
@lab_options
@click.pass_context
def flush(ctx: click.Context, /, **options: Any) -> None:
    """Send what waits in the outbox, and tag the MLflow runs with what became of their records."""
    from blockchaintracer.mlflow.recorder import flush as send

    told = send(make_lab(ctx, options))
    show(ctx, {"runs": told}, *(f"{one['runId']}: record {one['recordId']} is {one['status']}" for one in told))
