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
