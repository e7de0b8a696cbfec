"""`blockchaintracer mlflow`: MLflow's runs and models as records, and back."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import F, Verb, VerbGroup, group_option, lab_options, make_lab, show, when
from blockchaintracer.lab import batches
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.recording.run import parse_assignment


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
      blockchaintracer mlflow import --experiment baseline
      blockchaintracer mlflow export ID --tracking-uri sqlite:///rebuilt.db
      blockchaintracer mlflow register "spam filter"
      blockchaintracer mlflow deployment production "spam filter@champion"
      blockchaintracer mlflow webhook --secret-file webhook.secret
      blockchaintracer verify mlflow:RUN_ID --tracking-uri sqlite:///mlflow.db
    """


@command.command(cls=Verb)
@lab_options
@click.pass_context
def flush(ctx: click.Context, /, **options: Any) -> None:
    """Send what waits in the outbox, and tag the MLflow runs with what became of their records."""
    from blockchaintracer.extras.mlflow.recorder import flush as send

    told = send(make_lab(ctx, options))
    show(ctx, {"runs": told}, *(f"{one['runId']}: record {one['recordId']} is {one['status']}" for one in told))


@command.command("import", cls=Verb)
@lab_options
@group_option
@tracking_option
@click.argument("run_ids", nargs=-1, metavar="[RUN]...")
@click.option("--experiment", "experiments", multiple=True, metavar="NAME", help="Only runs of this experiment.")
@click.option("--each", is_flag=True, help="A record of its own on the chain for each, instead of one batch of all.")
@click.option("--with-user-name", is_flag=True, help="Record who ran them.")
@click.pass_context
def import_(ctx: click.Context, /, **options: Any) -> None:
    """Record runs that ended: those named, or all. They are added to a batch, which one transaction anchors.

    Nothing of this machine is recorded with them: only what MLflow knows. What is recorded already costs nothing.
    `materialize ID` stores a record from its batch: reports, exports and `record://ID` take only what is stored.

    \b
    Examples:
      blockchaintracer mlflow import --tracking-uri sqlite:///mlflow.db
      blockchaintracer mlflow import RUN --each

    Exit codes: 0 all are recorded, 2 some are not, 3 chain unavailable.
    """
    from blockchaintracer.extras.mlflow.import_export import import_runs, tell_anchored

    lab = make_lab(ctx, options)
    batch = not options["each"]
    shows = not ctx.params["as_json"] and sys.stderr.isatty()
    done = import_runs(
        lab,
        options["tracking_uri"],
        options["run_ids"],
        experiments=options["experiments"],
        batch=batch,
        personal=options["with_user_name"],
        each=lambda count, total: (
            click.echo(f"\r{count} of {total} runs", nl=count == total, err=True) if shows else None
        ),
    )
    waiting = any(one.recorded and one.recorded.state == "open" for one in done)
    anchored = batches.anchor(lab) if waiting else None
    if anchored:
        tell_anchored(lab, done, options["tracking_uri"], anchored)
    problems = [one for one in done if one.problem]
    data = {"runs": [asdict(one) for one in done], "batch": asdict(anchored) if anchored else None}
    lines = [f"{one.run_id} {one.name or ''}: {one.recorded.id}" for one in done if one.recorded]
    if anchored:
        lines.append(f"Batch {anchored.root} of {anchored.count} records is {anchored.state}, {when(anchored.time)}.")
        lines.append("`blockchaintracer materialize ID` stores one of them, for a report, an export or `record://ID`.")
    show(ctx, data, *lines)
    for one in problems:
        click.echo(f"{one.run_id} {one.name or ''} is not recorded: {one.problem}", err=True)
    if problems:
        ctx.exit(2)


@command.command(cls=Verb)
@lab_options
@tracking_option
@click.argument("record_id", metavar="ID")
@click.option("--experiment", metavar="NAME", help="Experiment of the new run; the recorded one if not said.")
@click.pass_context
def export(ctx: click.Context, /, record_id: str, experiment: str | None, **options: Any) -> None:
    """Rebuild an MLflow run from its record ID, from nothing but what is kept: a new run with the same content.

    \b
    Examples:
      blockchaintracer mlflow export ID --tracking-uri sqlite:///rebuilt.db
    """
    from blockchaintracer.extras.mlflow.import_export import export_run

    run_id = export_run(make_lab(ctx, options), record_id, options["tracking_uri"], experiment)
    show(ctx, {"runId": run_id, "recordId": record_id}, f"MLflow run {run_id} is rebuilt from record {record_id}.")


def _told(ctx: click.Context, made: list[Recorded]) -> None:
    lines = [f"{one.name}: {one.id} is {'recorded already' if one.existing else one.state}" for one in made]
    show(ctx, {"records": [asdict(one) for one in made], "id": made[-1].id}, *lines)
    if any(one.state == "stored" for one in made):
        ctx.exit(3)


@command.command(cls=Verb)
@lab_options
@group_option
@tracking_option
@click.argument("name")
@click.pass_context
def register(ctx: click.Context, /, name: str, **options: Any) -> None:
    """Record the registered model NAME, its versions, tags and aliases as they are now. Stages are deprecated.

    \b
    Examples:
      blockchaintracer mlflow register "spam filter"
    """
    from blockchaintracer.extras.mlflow.model_registry import record_registered_model

    _told(ctx, record_registered_model(make_lab(ctx, options), name, options["tracking_uri"]))


@command.command(cls=Verb)
@lab_options
@group_option
@tracking_option
@click.argument("target")
@click.argument("model", metavar="NAME/VERSION|NAME@ALIAS")
@click.option("--action", default="deployed", show_default=True, help="What was done: updated, rolled back, removed.")
@click.option("--value", "values", multiple=True, metavar="K=V", help="What else there is to say.")
@click.pass_context
def deployment(ctx: click.Context, /, target: str, model: str, **options: Any) -> None:
    """Record that a version of a model went to TARGET, or left it. TARGET's records are its audit trail.

    \b
    Examples:
      blockchaintracer mlflow deployment production "spam filter@champion"
      blockchaintracer mlflow deployment production "spam filter/3" --action "rolled back" --value ticket=OPS-7
    """
    from blockchaintracer.extras.mlflow.model_registry import record_deployment

    lab = make_lab(ctx, options)
    values = dict(parse_assignment(text, "value") for text in options["values"])
    made = record_deployment(
        lab, target, model, action=options["action"], tracking_uri=options["tracking_uri"], values=values
    )
    _told(ctx, [made])


@command.command(cls=Verb)
@lab_options
@group_option
@tracking_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=8787, show_default=True, help="Port; 0 for any.")
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    help="File with the secret that MLflow signs with. [env: BLOCKCHAINTRACER_MLFLOW_WEBHOOK_SECRET]",
)
@click.option(
    "--deployment",
    "deployments",
    multiple=True,
    metavar="[NAME@]ALIAS=TARGET",
    help="A version that is given this alias is deployed at TARGET, and recorded so; repeatable.",
)
@click.pass_context
def webhook(
    ctx: click.Context, /, host: str, port: int, secret_file: Path | None, deployments: tuple[str, ...], **options: Any
) -> None:
    """Receive an MLflow server's webhooks, and record what they tell of registered models. Runs until it's stopped.

    Only what is signed with the secret counts. Put a web server with TLS before it where others can reach it. MLflow
    has no event of a deployment: where an alias decides what is deployed, --deployment makes one of it.

    \b
    Examples:
      blockchaintracer mlflow webhook --secret-file webhook.secret --tracking-uri http://127.0.0.1:5000
      blockchaintracer mlflow webhook --secret-file webhook.secret --deployment champion=production
    """
    from blockchaintracer.extras.mlflow.webhook import Receiver, read_deployments, read_secret

    secret, chosen = read_secret(secret_file), read_deployments(deployments)
    given = {**options}
    tracking_uri = given.pop("tracking_uri")

    def after(made: Recorded) -> None:
        show(ctx, {"recordId": made.id, "name": made.name, "state": made.state}, f"{made.name}: {made.id} {made.state}")

    # told early what would be refused at each delivery
    make_lab(ctx, {**given}).group()
    receiver = Receiver(secret, lambda: make_lab(ctx, {**given}), tracking_uri, after, chosen)
    with receiver.listen(host, port) as server:
        address = f"http://{server.server_address[0]!s}:{server.server_address[1]}"
        show(ctx, {"listening": address}, f"Listening at {address}")
        sys.stdout.flush()
        server.serve_forever()
