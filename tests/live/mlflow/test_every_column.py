"""Every column of every row that a run leaves in MLflow's own database is altered: `verify` names the change, or
docs/mlflow.md says that nothing shows it."""

import json
import sqlite3
from contextlib import closing

import mlflow
import pandas
from mlflow.entities import LoggedModelInput, LoggedModelOutput

import blockchaintracer.mlflow as sealed
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.verify import Outcome
from blockchaintracer.extras.mlflow.mlflow_tracer import _recording
from blockchaintracer.extras.mlflow.recorder import salt
from blockchaintracer.extras.mlflow.run_checks import _Comparison
from blockchaintracer.extras.mlflow_reader.snapshot import OWN_TAGS, client_of, run_uuid
from blockchaintracer.lab.store.stored_copies import StoredCopies
from tests.live.mlflow.conftest import data
from tests.support.labs import ROOT

NOT_SHOWN = {
    "runs": {"source_type", "source_name", "entry_point_name", "source_version", "deleted_time"},
    "datasets": {"experiment_id"},
    "inputs": {"input_uuid", "source_type", "step"},
    "logged_model_metrics": {"experiment_id", "dataset_uuid"},
    "logged_model_params": {"experiment_id"},
    "logged_model_tags": {"experiment_id"},
    "entity_associations": {"association_id", "created_time"},
    "trace_info": {"db_payload_generation"},
    "assessments": {"experiment_id", "trace_timestamp_ms", "aggregate_value", "is_numeric_value", "run_id"},
    "spans": {
        *("experiment_id", "span_id", "parent_span_id", "name", "type", "status", "model_name", "model_provider"),
        *("start_time_unix_nano", "end_time_unix_nano", "input_cost", "output_cost", "total_cost"),
    },
}


def rows_of(connection):
    """All rows of all tables: of each its table, number and columns."""
    connection.row_factory = sqlite3.Row
    names = [row["name"] for row in connection.execute("select name from sqlite_master where type = 'table'")]
    return {
        (table, row["numbered"]): {name: row[name] for name in columns_of(connection, table)}
        for table in names
        for row in connection.execute(f'select rowid as numbered, * from "{table}"')
    }


def columns_of(connection, table):
    """The columns of a table and their types; a generated column is nothing of its own."""
    listed = connection.execute(f'pragma table_xinfo("{table}")')
    return {column["name"]: column["type"] for column in listed if not column["hidden"]}


def other_values(kind, column, value):
    """Other values that a column may take: of a JSON object, one for each of its parts."""
    if kind == "BOOLEAN":
        return [1 - value]
    if value is None or isinstance(value, int | float):
        return [(value or 6) + 1]
    if column in ("lifecycle_stage", "status"):
        return ["deleted" if column == "lifecycle_stage" else "ERROR"]
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value
    if isinstance(parsed, dict):
        return [json.dumps(parsed | {key: part + "x" if isinstance(part, str) else 7}) for key, part in parsed.items()]
    return [value + "x"]


def shown(table, column, row):
    if table in ("tags", "trace_tags") and row["key"].startswith((OWN_TAGS, "mlflow.trace.spansLocation")):
        return False
    # of a metric that is not a number, MLflow shows that; an expectation has no reason
    unused = (column == "value" and row.get("is_nan")) or (column == "rationale" and row["name"] == "fact")
    return column not in NOT_SHOWN.get(table, ()) and not unused


def a_run_with_all_of_it(model):
    with mlflow.start_run(run_name="all of it") as run:
        mlflow.log_params({"lr": 0.1, "password": "hunter2" * 2})
        mlflow.set_tag("kind", "baseline")
        for step, value in enumerate((0.6, float("nan"), 0.7)):
            mlflow.log_metric("acc", value, step=step)
        table = mlflow.data.from_pandas(pandas.read_csv("data.csv"), source="data.csv", name="table")
        mlflow.log_input(table, context="training")
        own = mlflow.create_external_model(name="net", params={"depth": "3"}, tags={"stage": "first"})
        for model_id in (own.model_id, model.model_id):
            mlflow.log_metric("f1", 0.5, step=1, model_id=model_id, dataset=table)
        mlflow.MlflowClient().log_inputs(run.info.run_id, models=[LoggedModelInput(model.model_id)])
        mlflow.log_outputs([LoggedModelOutput(own.model_id, step=2)])
        with mlflow.start_span("outer") as outer:
            outer.set_inputs({"question": "why"})
            with mlflow.start_span("inner", span_type="LLM") as inner:
                inner.set_outputs({"answer": "because"})
        mlflow.flush_trace_async_logging()
        mlflow.log_feedback(trace_id=outer.trace_id, name="good", value=True, rationale="it is")
        mlflow.log_expectation(trace_id=outer.trace_id, name="fact", value={"a": 1})
        mlflow.MlflowClient().link_traces_to_run(
            [mlflow.search_traces(return_type="list")[-1].info.trace_id], run.info.run_id
        )
    return run.info.run_id


def test_a_change_of_any_column_of_any_row_is_named(lab, home, store):
    sealed.autolog(home=home, background=False)
    data(rows=10)
    with mlflow.start_span("of no run"):
        pass
    mlflow.flush_trace_async_logging()
    with mlflow.start_run():
        model = mlflow.create_external_model(name="of another run")
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as connection:
        connection.execute("pragma ignore_check_constraints = on")
        before = rows_of(connection)
        run_id = a_run_with_all_of_it(model)
        added = {place: row for place, row in rows_of(connection).items() if place not in before}
        assert {"latest_metrics", "logged_model_metrics", "assessments", "spans", "entity_associations"} <= {
            table for table, _ in added
        }
        key = salt(lab.home, run_uuid(run_id))
        comparison = _Comparison(client_of(store), run_id, key, {}, StoredCopies(lab.store))

        def named():
            try:
                checks = comparison.compare(_recording.recorded[run_id].manifest)
                return any(check.verdict is Outcome.FAIL for check in checks)
            except (InputError, TypeError):
                # MLflow itself cannot show it any more
                return True

        assert not named()
        missed = []
        for (table, number), row in added.items():
            for column, kind in columns_of(connection, table).items():
                change = f'update "{table}" set "{column}" = ? where rowid = ?'
                for value in other_values(kind, column, row[column]):
                    with connection:
                        connection.execute(change, (value, number))
                    if shown(table, column, row) and not named():
                        missed.append((table, column, row[column], value))
                    with connection:
                        connection.execute(change, (row[column], number))
        assert not missed, "\n".join(map(str, missed))
        assert not named()


def test_the_documented_list_is_the_tests_own():
    text = (ROOT / "docs" / "mlflow.md").read_text()
    for table, columns in NOT_SHOWN.items():
        line = next(line for line in text.splitlines() if line.startswith(f"| `{table}`"))
        assert {column.strip("` ") for column in line.split("|")[2].split(",")} == columns
