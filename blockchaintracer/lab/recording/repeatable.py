"""What keeps others from repeating a recorded run: known when it is recorded, and so said then."""

from __future__ import annotations

import posixpath

from blockchaintracer.core.manifest import Code, RunPredicate
from blockchaintracer.lab.capture.git import changed_files
from blockchaintracer.lab.capture.secret_masking import MASK
from blockchaintracer.lab.store.store import Store

NO_LOCK = "it names no lock file to rebuild its environment from"


def not_committed(store: Store, code: Code) -> list[str]:
    """Return the files of a run that differed from its commits, as far as the difference was recorded."""
    return [
        posixpath.join(folder, name)
        for folder, state in code.states()
        for name in (
            *(name for name, _ in (changed_files(store.get_bytes(state.diff.sha256)) if state.diff else ())),
            *(entry.path for entry in state.whole or ()),
        )
    ]


def what_lacks(run: RunPredicate) -> list[str]:
    """Return what a run lacks to be repeated from its record, in words; nothing if others can."""
    code = run.code
    lacks = [] if run.status == "completed" else [f"it {run.status}"]
    if not any(metric.tolerance for metric in run.metrics.values()):
        lacks.append("it states no metric that is to be compared (--metrics and --metric-from read one)")
    if code.commit is None or code.pack is None:
        lacks.append("it names no commit of its code")
    if not code.entry_point:
        lacks.append("it names no command (`record -- PROGRAM` records one)")
    if code.lacks_diff:
        lacks.append("its files differed from the commit, and the difference was not recorded")
    if any(MASK in argument for argument in code.arguments):
        lacks.append("an argument was hidden because it looked like a secret")
    return lacks if run.environment.lock else [*lacks, NO_LOCK]
