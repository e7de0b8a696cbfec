"""`blockchaintracer mlflow`: MLflow's runs and models as records, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.options import PATH, VerbGroup, connection_options, group_option, make_lab, tracking_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, recorded_line, wants_json, when
from blockchaintracer.core.record import counted
from blockchaintracer.lab import batches
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.run import parse_assignment


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


@command.lab_verb(writes=True)
def flush(lab: Lab) -> Answer:
    """Send the records of MLflow runs that wait in the outbox, and tag the runs with their state."""
    from blockchaintracer.extras.mlflow.recorder import flush as send

    runs = send(lab)
    return Answer({"runs": runs}, *(f"{run['runId']}: record {run['recordId']} is {run['status']}" for run in runs))


@command.lab_verb("import", writes=True)
@group_option
@tracking_option
@click.argument("run_ids", nargs=-1, metavar="[RUN]...")
@click.option("--experiment", "experiments", multiple=True, metavar="NAME", help="Only runs of this experiment.")
@click.option("--each", is_flag=True, help="A record of its own on the chain for each, instead of one batch of all.")
@click.option("--with-user-name", is_flag=True, help="Record who ran them.")
@click.option("--unfinished", is_flag=True, help="Also runs that have not ended: their process was killed.")
@click.option(
    "--files-in", multiple=True, metavar="PLACE", help="A folder or address that runs may name files in; repeatable."
)
def import_(
    lab: Lab,
    tracking_uri: str | None,
    run_ids: tuple[str, ...],
    experiments: tuple[str, ...],
    each: bool,
    with_user_name: bool,
    unfinished: bool,
    files_in: tuple[str, ...],
) -> Answer:
    """Record runs that ended: those named, or all. They are added to a batch, which one transaction anchors.

    Nothing of this machine is recorded with them: only what MLflow knows. A run that names files outside the folder of
    the store, or on another server, is refused: the store may be a stranger's. What is recorded already costs nothing.
    `materialize ID` stores a record from its batch: reports, exports and `record://ID` take only what is stored.

    \b
    Examples:
      blockchaintracer mlflow import --tracking-uri sqlite:///mlflow.db
      blockchaintracer mlflow import RUN --each

    Exit codes: 0 all are recorded, 2 some are not, 3 chain unavailable.
    """
    from blockchaintracer.extras.mlflow.import_export import import_runs, tell_anchored

    shows = not wants_json() and sys.stderr.isatty()

    def progress(count: int, total: int) -> None:
        if shows:
            click.echo(f"\r{count} of {total} runs", nl=count == total, err=True)

    runs = import_runs(
        lab,
        tracking_uri,
        run_ids,
        experiments=experiments,
        batch=not each,
        personal=with_user_name,
        unfinished=unfinished,
        files_in=files_in,
        each=progress,
    )
    anchored = batches.anchor(lab) if any(run.recorded and run.recorded.state == "open" for run in runs) else None
    lines = [f"{run.run_id} {run.name or ''}: {run.recorded.id}" for run in runs if run.recorded]
    if anchored:
        tell_anchored(runs, tracking_uri, anchored)
        size = counted(anchored.count, "record")
        lines.append(f"Batch {anchored.root} of {size} is {anchored.state}, {when(anchored.time)}.")
        lines.append("`blockchaintracer materialize ID` stores one of them, for a report, an export or `record://ID`.")
    problems = [f"{run.run_id} {run.name or ''} is not recorded: {run.problem}" for run in runs if run.problem]
    return Answer({"runs": runs, "batch": anchored}, *lines, notes=problems, exit_code=2 if problems else 0)


@command.lab_verb()
@tracking_option
@click.argument("record_id", type=RECORD, metavar="ID")
@click.option("--experiment", metavar="NAME", help="Experiment of the new run; the recorded one if not said.")
def export(lab: Lab, tracking_uri: str | None, record_id: str, experiment: str | None) -> Answer:
    """Rebuild an MLflow run from its record ID, from nothing but what is kept: a new run with the same content."""
    from blockchaintracer.extras.mlflow.import_export import export_run

    run_id = export_run(lab, record_id, tracking_uri, experiment)
    return Answer({"runId": run_id, "recordId": record_id}, f"MLflow run {run_id} is rebuilt from record {record_id}.")


def _answer(records: list[Recorded]) -> Answer:
    return Answer(
        {"records": records, "id": records[-1].id},
        *(recorded_line(f"{record.name}:", record) for record in records),
        exit_code=3 if any(record.state == "stored" for record in records) else 0,
    )


@command.lab_verb(writes=True)
@group_option
@tracking_option
@click.argument("name")
def register(lab: Lab, tracking_uri: str | None, name: str) -> Answer:
    """Record the registered model NAME, its versions, tags and aliases as they are now. Stages are deprecated."""
    from blockchaintracer.extras.mlflow.model_registry import record_registered_model

    return _answer(record_registered_model(lab, name, tracking_uri))


@command.lab_verb(writes=True)
@group_option
@tracking_option
@click.argument("target")
@click.argument("model", metavar="NAME/VERSION|NAME@ALIAS")
@click.option("--action", default="deployed", show_default=True, help="What was done: updated, rolled back, removed.")
@click.option("--value", "values", multiple=True, metavar="K=V", help="What else there is to say.")
def deployment(
    lab: Lab, tracking_uri: str | None, target: str, model: str, action: str, values: tuple[str, ...]
) -> Answer:
    """Record that a version of a model went to TARGET, or left it. TARGET's records are its audit trail.

    \b
    Examples:
      blockchaintracer mlflow deployment production "spam filter@champion"
      blockchaintracer mlflow deployment production "spam filter/3" \\
        --action "rolled back" --value ticket=OPS-7
    """
    from blockchaintracer.extras.mlflow.model_registry import record_deployment

    more = dict(parse_assignment(text, "value") for text in values)
    return _answer([record_deployment(lab, target, model, action=action, tracking_uri=tracking_uri, values=more)])


@command.command()
@connection_options
@group_option
@tracking_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=8787, show_default=True, help="Port; 0 for any.")
@click.option(
    "--secret-file",
    type=PATH,
    help="File with the secret that MLflow signs with. [env: BLOCKCHAINTRACER_MLFLOW_WEBHOOK_SECRET]",
)
@click.option(
    "--deployment",
    "deployments",
    multiple=True,
    metavar="[NAME@]ALIAS=TARGET",
    help="A version that is given this alias is deployed at TARGET, and recorded so; repeatable.",
)
def webhook(
    host: str,
    port: int,
    secret_file: Path | None,
    deployments: tuple[str, ...],
    tracking_uri: str | None,
    **options: Any,
) -> None:
    """Receive an MLflow server's webhooks, and record what they report of registered models. Runs until it is stopped.

    Only what is signed with the secret counts. Put a web server with TLS before it where others can reach it. MLflow
    has no event of a deployment: where an alias decides what is deployed, --deployment makes one of it.

    \b
    Examples:
      blockchaintracer mlflow webhook --secret-file webhook.secret \\
        --tracking-uri http://127.0.0.1:5000
      blockchaintracer mlflow webhook --secret-file webhook.secret \\
        --deployment champion=production
    """
    from blockchaintracer.extras.mlflow.webhook import listen, read_deployments, read_secret

    ctx, secret, targets = click.get_current_context(), read_secret(secret_file), read_deployments(deployments)

    def open_lab() -> Lab:
        lab = make_lab(ctx, {**options})
        # nobody sits at a service
        lab.confirm = None
        return lab

    def after(record: Recorded) -> None:
        with ctx.scope(cleanup=False):
            data = {"recordId": record.id, "name": record.name, "state": record.state}
            Answer(data, f"{record.name}: {record.id} {record.state}").show()

    # report now what would be refused at each delivery
    open_lab().group()
    server = listen((host, port), secret, open_lab, tracking_uri, after, targets)
    address = f"http://{server.server_address[0]!s}:{server.server_address[1]}"
    Answer({"listening": address}, f"Listening at {address}").show()
    sys.stdout.flush()
    server.serve_forever()
