"""Each outcome has one word, one colour and one exit code, wherever it is shown."""

import click
import pytest

from blockchaintracer.cli.render import verdict_line
from blockchaintracer.core.verify import Check, Outcome
from blockchaintracer.core.verify.outcomes import PRIVATE_CHAIN, Conclusion
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
    unknown = Check("two", Outcome.UNKNOWN, "")
    for checks, private, shown in (
        ((passed,), False, ("verified", "green", "")),
        ((passed, unknown), False, ("verified", "green", "")),
        ((passed, failed), False, ("not verified", "red", "")),
        ((passed, unknown), True, ("verified", "yellow", PRIVATE_CHAIN)),
        ((failed,), True, ("not verified", "red", "")),
    ):
        verification = Verification(checks, "", private)
        assert (verification.status, verification.colour, verification.note) == shown
