"""The experiment sheet: a row a run, as a pandas DataFrame, CSV, XLSX and Parquet."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.manifest import RunPredicate
from blockchaintracer.core.plain_json import number_text
from blockchaintracer.core.record import GlobalId
from blockchaintracer.extras.report.report_facts import ReportFacts
from blockchaintracer.extras.search.rows import utc
from blockchaintracer.lab.gather import GatheredRecord
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.plain_text import LATEST, no_formula, printable

if TYPE_CHECKING:
    import pandas

COLUMNS = ("date", "model_name", "dataset", "metrics", "parameters", "blockchain_ref", "mlflow_run")
_MLFLOW = ("mlflow_run", "mlflow_run_id", "mlflow.run_id", "mlflowRunId")
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP archive can hold."""


def sheet(facts: ReportFacts) -> pandas.DataFrame:
    """List the runs that a report is about.

    Columns: ``date`` (of the record by the chain, UTC), ``model_name``, ``dataset`` (names of what was read),
    ``metrics`` and ``parameters`` (dictionaries), ``blockchain_ref`` (``eip155:CHAIN:REGISTRY/ID``) and
    ``mlflow_run`` (None where none is recorded).
    """
    pd = require("pandas", "tables")
    frame: pandas.DataFrame = pd.DataFrame([_row(facts, run) for run in facts.runs], columns=list(COLUMNS))
    # UTC without a zone: DataFrame.to_excel takes no time that has one
    frame["date"] = pd.to_datetime(frame["date"], utc=True).dt.tz_localize(None)
    return frame


def csv(facts: ReportFacts) -> bytes:
    """Write the sheet as CSV (RFC 4180); text that a spreadsheet would take for a formula begins with ``'``."""
    text = _flat(facts).to_csv(index=False, lineterminator="\r\n")
    return str(text).encode()


def xlsx(facts: ReportFacts) -> bytes:
    """Write the sheet as an Excel workbook, all text: nothing in it is a formula."""
    openpyxl = require("openpyxl", "tables")
    styles = require("openpyxl.styles", "tables")
    book = openpyxl.Workbook()
    page = book.active
    page.title = "experiments"
    rows = [list(COLUMNS), *_flat(facts, for_csv=False).values.tolist()]
    for number, row in enumerate(rows, 1):
        for column, value in enumerate(row, 1):
            cell = page.cell(number, column)
            cell.value = None if value is None else _cell(value)
            if cell.value is not None:
                cell.data_type = "s"
                cell.quotePrefix = no_formula(cell.value) != cell.value
            if number == 1:
                cell.font = styles.Font(bold=True)
    for letter, width in zip("ABCDEFG", (22, 24, 28, 40, 40, 50, 34), strict=True):
        page.column_dimensions[letter].width = width
    page.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return _without_clock(out.getvalue(), facts)


def parquet(facts: ReportFacts) -> bytes:
    """Write the sheet as Parquet; metrics and parameters as JSON text."""
    arrow = require("pyarrow", "tables")
    files = require("pyarrow.parquet", "tables")
    frame = _flat(facts, for_csv=False)
    text = {name: arrow.array([_text(value) for value in frame[name]], arrow.string()) for name in COLUMNS[1:]}
    times = arrow.array([_date(run) for run in facts.runs], arrow.timestamp("s", "UTC"))
    out = io.BytesIO()
    files.write_table(arrow.table({"date": times, **text}), out)
    return out.getvalue()


def mlflow_run(run: RunPredicate) -> str | None:
    """Return the id of the MLflow run that a run's manifest names; None if it names none."""
    experiment = run.experiment.to_json()
    for place in (experiment.get("additionalInfo", {}), run.parameters, experiment.get("modelConfig", {})):
        nested = place.get("mlflow")
        inner = nested if isinstance(nested, dict) else {}
        context = inner.get("context")
        ids = [place.get(name) for name in _MLFLOW]
        ids += [held.get(name) for held in (inner, context) if isinstance(held, dict) for name in ("runId", "run_id")]
        for run_id in ids:
            if isinstance(run_id, str):
                return run_id
    return None


def _date(run: GatheredRecord) -> datetime:
    return datetime.fromtimestamp(min(run.record.time, LATEST), UTC)


def _row(facts: ReportFacts, gathered: GatheredRecord) -> dict[str, Any]:
    run, name = gathered.run, gathered.name
    if facts.run is not None and gathered.id == facts.run.id:
        data = [entry.name or entry.read.name for entry in facts.datasets]
        name = facts.fields["model_name"].text if "model_name" in facts.fields else name
    else:
        data = [entry.name or entry.sha256[:12] for entry in run.inputs] if run else []
    return {
        "date": _date(gathered),
        "model_name": name,
        "dataset": ", ".join(data) or None,
        "metrics": {name: number_text(metric.value) for name, metric in sorted(run.metrics.items())} if run else {},
        "parameters": dict(run.parameters) if run else {},
        "blockchain_ref": str(GlobalId(facts.chain_id, facts.registry, gathered.id)),
        "mlflow_run": mlflow_run(run) if run else None,
    }


def _flat(facts: ReportFacts, *, for_csv: bool = True) -> pandas.DataFrame:
    frame = sheet(facts).astype(object)
    frame["date"] = [utc(run.record.time) for run in facts.runs]
    for name in ("metrics", "parameters"):
        frame[name] = [json.dumps(value, sort_keys=True, ensure_ascii=False) for value in frame[name]]
    for name in COLUMNS[1:]:
        frame[name] = [
            None if (text := _text(value)) is None else no_formula(text) if for_csv else text for value in frame[name]
        ]
    return frame


def _text(value: Any) -> str | None:
    return None if value is None else printable(str(value))


def _cell(text: str) -> str:
    # Excel takes at most 32,767 characters
    return str(require("openpyxl.cell.cell", "tables").ILLEGAL_CHARACTERS_RE.sub("\ufffd", text))[:32_767]


def _without_clock(data: bytes, facts: ReportFacts) -> bytes:
    """The workbook with the record's time in place of this machine's."""
    time = utc(min(facts.asked.record.time, LATEST))
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            content = old.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time.encode(), content)
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            new.writestr(entry, content)
    return out.getvalue()
