"""Each outcome has one word, one colour and one exit code, wherever it is shown."""

import click
import pytest

from blockchaintracer.cli.render import verdict_line
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.core.verify.outcomes import NEVER_PROVEN, PRIVATE_CHAIN, Conclusion
from blockchaintracer.lab.gather import Verification

TABLE = [
    ("verified", 0, True, "green"),
    ("not verified", 1, False, "red"),
    ("wrong use", 2, None, "red"),
    ("unavailable", 3, None, "yellow"),
    ("consistent", 4, None, "yellow"),
    ("inconclusive", 5, None, "yellow"),
]


@pytest.mark.parametrize(("word", "code", "verified", "colour"), TABLE)
def test_the_table(word: str, code: int, verified: bool | None, colour: str) -> None:
    conclusion = Conclusion(word)
    assert (conclusion.exit_code, conclusion.verified, conclusion.colour()) == (code, verified, colour)
    assert verdict_line(conclusion, "so.") == click.style(f"{word.capitalize()}: so.", fg=colour, bold=True)


def test_a_private_test_chain_is_amber_and_says_so() -> None:
    line = verdict_line(Conclusion.VERIFIED, "2 checks passed.", private=True)
    assert line == click.style(
        f"Verified on a private test chain: 2 checks passed. {PRIVATE_CHAIN.capitalize()}.", fg="yellow", bold=True
    )
    assert verdict_line(Conclusion.NOT_VERIFIED, "x.", private=True) == verdict_line(Conclusion.NOT_VERIFIED, "x.")


def test_a_report_has_the_word_and_the_colour_of_verify() -> None:
    passed, failed = (Check("one", verdict, "") for verdict in (Outcome.PASS, Outcome.FAIL))
    unknown, away = Check("two", Outcome.UNKNOWN, ""), Check("away", Outcome.UNKNOWN, "", {"unavailable": ["a source"]})
    for checks, private, shown in (
        ((passed,), False, ("verified", "green", "")),
        ((passed, unknown), False, ("verified", "green", "")),
        (
            (passed, away),
            False,
            ("unavailable", "yellow", "a source that may have what a check needs could not be asked"),
        ),
        ((passed, failed), False, ("not verified", "red", "")),
        ((passed, unknown), True, ("verified", "yellow", PRIVATE_CHAIN)),
        ((failed,), True, ("not verified", "red", "")),
    ):
        verification = Verification(checks, Report("it", "record", checks).conclusion, "", private)
        assert (verification.status, verification.colour, verification.note) == shown


def test_a_report_ends_by_its_checks() -> None:
    asked = {"unavailable": ["a source"]}
    passed, failed, unknown = (Check(f"a {verdict} check", verdict, "", {}) for verdict in Outcome)
    away = Check("away", Outcome.UNKNOWN, "", asked)
    passed_of_a_source = Check("there", Outcome.PASS, "", asked)
    told_verified = {"verified": True, "not verified": False}
    for checks, word, bad, open_, unavailable in (
        ((), "verified", 0, 0, 0),
        ((passed, passed_of_a_source), "verified", 0, 0, 0),
        ((passed, unknown), "verified", 0, 1, 0),
        ((passed, unknown, away), "unavailable", 0, 2, 1),
        ((failed, away, passed), "not verified", 1, 1, 1),
        ((failed, failed), "not verified", 2, 0, 0),
    ):
        report = Report("it", "record", checks)
        assert report.conclusion == word
        assert (len(report.failed), len(report.unknown), len(report.unavailable)) == (bad, open_, unavailable)
        assert report.verified is told_verified.get(word)
        told = report.as_json()
        assert (told["outcome"], told["failed"], told["unknown"]) == (word, bad, open_)
        assert told["verified"] is told_verified.get(word)
        assert told["doesNotProve"] == [f"It does not prove {NEVER_PROVEN}."]
        assert (told["target"], told["lookedUpAs"], told["privateTestChain"]) == ("it", "record", False)
        assert [check["name"] for check in told["checks"]] == [check.name for check in checks]
        assert (told["records"], told["proves"]) == ([], [])
