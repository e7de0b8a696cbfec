"""`verify` says in its first line that a group did not reproduce a record, or disputes it.

"Verified: 19 checks passed." was all that the first line said of a run that another group had found to be wrong.
"""

import pytest

from blockchaintracer.cli.verb_verify import _outcome
from blockchaintracer.core.verify import Check, Outcome, Report

pytestmark = pytest.mark.fast


def test_it_stands_there() -> None:
    said = ("not-reproduced", "disputed", "disputed", "reproduced", "none")
    checks = [Check(f"verdict of group {at}", Outcome.PASS, "", {"verdict": it}) for at, it in enumerate(said)]
    untrue = Check("verdict of group 9", Outcome.FAIL, "", {"verdict": "not-reproduced"})
    report = Report("it", "record", (*checks, untrue))
    told = "6 checks passed; not-reproduced by 1 group; disputed by 2 groups."
    assert _outcome(report, Report("it", "record", tuple(checks)).conclusion) == told
    assert _outcome(Report("it", "record", (checks[3],)), Report("it", "record", ()).conclusion) == "1 check passed."


def test_what_is_known_of_a_batched_record_stands_there() -> None:
    """The line was "10 checks passed; 1 could not be made", though nothing was missing."""
    known = [Check("batch", Outcome.PASS, ""), Check("stored", Outcome.UNKNOWN, "only in its batch")]
    report = Report("it", "batch", tuple(known))
    assert _outcome(report, report.conclusion) == "1 check passed; committed to in a batch, not stored."
    more = Report("it", "batch", (*known, Check("manifest", Outcome.UNKNOWN, "")))
    told = "1 check passed; committed to in a batch, not stored; 1 could not be made."
    assert _outcome(more, more.conclusion) == told
