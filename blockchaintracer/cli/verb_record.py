"""`blockchaintracer record`: datasets, models, software, results and runs."""

from __future__ import annotations

from blockchaintracer.cli.options import lab_verb, record_options, wait_option
from blockchaintracer.cli.render import Answer, plain, progress_bar, record_lines
from blockchaintracer.core.errors import BlockchainTracerError
from blockchaintracer.core.manifest import RunPredicate, parse_manifest
from blockchaintracer.lab import after_run
from blockchaintracer.lab.capture.program import ending
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.groups import make_ready
from blockchaintracer.lab.handover import told_successor
from blockchaintracer.lab.lab import Lab, Until
from blockchaintracer.lab.plain_text import named
from blockchaintracer.lab.publish import publish_by_setting
from blockchaintracer.lab.recording.commit import reached
from blockchaintracer.lab.recording.repeatable import not_committed, what_lacks
from blockchaintracer.lab.recording.request import Request, record_request


@lab_verb(writes=True)
@record_options
@wait_option
def command(lab: Lab, request: Request, until: Until) -> Answer:
    """Record datasets, models, software, results, or a run with all of them.

    A run is recorded as soon as there is a parameter, a metric, a run document or a program. After `--` a program is
    run first: what it writes to $BLOCKCHAINTRACER_RUN_FILE as a run document is recorded with it. Everything is kept
    in the lab's store before it is committed to. Recording the same content again is free. The exit code of a program
    that fails is passed on, 128 and the number for a signal.

    \b
    Examples:
      blockchaintracer record data.csv
      blockchaintracer record --dataset data.csv --name "survey 2026"
      blockchaintracer record --dataset data.csv --model model.json \\
        --param lr=0.1 --metric accuracy=0.93
      blockchaintracer record --from run.yaml
      blockchaintracer record --private-param lr=0.1 --metric accuracy=0.93
      blockchaintracer record --dataset patients.csv \\
        --encrypt-to age1… --encrypt-to mine
      blockchaintracer record --dataset data.csv \\
        -- python train.py --data data.csv --seed 7
      blockchaintracer record --artifact result.json --kind result \\
        --parent ID:derived-from
      blockchaintracer record --dataset data.csv --wait final
      blockchaintracer record --reproduces eip155:1:0x…/ID \\
        --metric accuracy=0.93 -- python train.py
    """
    make_ready(lab)
    with progress_bar("hashing and keeping", request.paths) as progress:
        recorded, code = record_request(lab, request, progress)
    waits = any(record.state == "stored" for record in recorded)
    notes: list[str] = []
    if not waits:
        recorded = reached(lab, recorded, until)
        notes = [*_reports(lab, recorded), *publish_by_setting(lab, (record.id for record in recorded))]
        if successor := told_successor(lab):
            notes.append(f"The registry's owner announced a successor, {successor}: ask your lab where to record.")
    predicate = parse_manifest(lab.store.get_bytes(recorded[-1].manifest)).predicate
    run = predicate if isinstance(predicate, RunPredicate) else None
    lacks = what_lacks(run) if run else []
    declared = [name for name, metric in run.metrics.items() if metric.is_declared] if run else []
    if code:
        notes.append(f"It is recorded as a failed run: {ending(code)}.")
    data = {"records": recorded, "programExitCode": code, "id": recorded[-1].id, "lacks": lacks, "declared": declared}
    lines = [line for record in recorded for line in record_lines(record)]
    lines += ["Other verbs take @last for this run."] if run and len(recorded) > 1 else []
    lines += [f"Declared, so that nobody can compare it: {plain(', '.join(declared))}."] if declared else []
    lines += [f"Others can't repeat this run: {'; '.join(lacks)}."] if lacks else []
    if run and run.code.diffs and not lacks:
        names = not_committed(lab.store, run.code)
        lines.append(f"Others need what you had not committed: {named([*map(plain, names)], 10)}.")
        lines.append("`publish --with-diff` publishes it; or commit, and record again.")
    exit_code = 3 if waits and not lab.hand_over else 0
    if code:
        exit_code = code if code > 0 else 128 - code
    return Answer(data, *lines, notes=notes, exit_code=exit_code)


def _reports(lab: Lab, recorded: list[Recorded]) -> list[str]:
    """Make the reports that the lab's setting asks for. A failure changes nothing of the records."""
    runs = [record for record in recorded if record.kind == "run"]
    try:
        reports = [report.id for run in runs for make in after_run if (report := make(lab, run.id))]
    except BlockchainTracerError as problem:
        return [f"No report was made: {problem}"]
    return [f"with the report {', '.join(reports)}"] if reports else []
