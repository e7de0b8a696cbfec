"""`check` read a marked number and not what a reader sees with it: 0.93 passed where the page says 0.93 %, 0.935,
        0.93e9
or 90.93. A mark with one character too many was passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.check.claims import read_claims

pytestmark = pytest.mark.fast

ID = "ab" * 32
MARK = f"<!-- recorded: {ID} acc -->"
TEX = f"\\recorded{{0.93}}{{{ID}}}{{acc}}"


def claims(tmp_path: Path, text: str, suffix: str) -> list[str]:
    file = tmp_path / f"paper.{suffix}"
    file.write_text(text)
    return [claim.value for claim in read_claims(file)]


@pytest.mark.parametrize(
    "tail",
    [
        "%", " %", "\n% of", "**%**", "5", "e9", " e9", "E-3", " x 10^5", " X 10", "\u00d710", "\u2030", " \u2030",
        "k", " k", "**5**",
        "&#53;", "\u2075", "<sup>5</sup>", "<!-- x -->5", "\u200b5", " \u200bk", " \u00b1 0.5", "/2", " percent",
        " per mille",
        " million", ",5", ".5", "\u20130.95", " - 0.95", ")%", ") x 10^5", '"5', "(2)", "`5`", " 345", "\u0338",
        " " * 200 + "%",
        "&nbsp;%", " **million**", " (%)", "\uff15", " ppm", "\u00bd", " = 93 %", f"{MARK}",
    ],
)  # fmt: skip
def test_what_follows_a_mark_in_markdown_belongs_to_the_number(tmp_path: Path, tail: str) -> None:
    for shown in ("We reach {}0.93{}{}.", "We reach **0.93**{}{} x.", "<div>\nof 0.93{}{}\n</div>", "- 0.93{}{}"):
        text = shown.replace("{}0.93", "0.93").replace("{}{}", MARK + tail)
        with pytest.raises(InputError, match=r"paper\.md:\d+: .*a number that stands by itself"):
            claims(tmp_path, text, "md")


@pytest.mark.parametrize(
    "tail",
    ["", ".", ", 0.94", " of all", "; 5", ") and", " (95 % CI)", " (acc)", "\n\n5", "  \n5", " - good", " \u2014 or",
        "**", ".**", '".',
     " Hz", " <b>of</b>", "\u2014or", ": 5", " on 5", "!", " \u201cgood\u201d", "\n# 5"],
)  # fmt: skip
def test_what_stands_apart_is_no_part_of_it(tmp_path: Path, tail: str) -> None:
    bold = "**" * tail.endswith("**")
    assert claims(tmp_path, f"We reach {bold}0.93{MARK}{tail}", "md") == ["0.93"]


@pytest.mark.parametrize("control", ["\u202e", "\u2066"])
def test_a_text_that_is_turned_round_is_refused(tmp_path: Path, control: str) -> None:
    with pytest.raises(InputError, match="stands by itself"):
        claims(tmp_path, f"We {control}reach 0.93{MARK}", "md")


@pytest.mark.parametrize(
    "comment",
    ["<!-- <!-- recorded: {} -->", "<!-- recorded\u200b: {} -->", "<!---recorded: {} -->",
        "<!-- rec\u200borded: {} -->",
     "<!-- - Recorded : {} -->", "<!-- recorded\uff1a {} -->", "<!-- recorded {} -->"],
)  # fmt: skip
def test_what_looks_like_a_mark_is_one_or_an_error(tmp_path: Path, comment: str) -> None:
    with pytest.raises(InputError, match=r"paper\.md:1: expected `<!-- recorded:"):
        claims(tmp_path, f"0.99{comment.format(f'{ID} acc')}", "md")
    assert claims(tmp_path, "0.99<!-- we recorded this --><!-- not a recorded: number -->", "md") == []


@pytest.mark.parametrize(
    "text",
    [
        "9{}", "-{}", "$-${}", "{}5", "{}\\%", "{}\\,\\%", "{} \\%", "{}%\n5", "{}%\nk", "-%\n{}", "9%\n  {}",
        "${}\\times10^5$",
        "${}\\cdot 2$", "${}^{9}$", "${}^9$", "$10^{}$", "$10^{{}}$", "\\phantom{{}}", "\\phantom {{}}",
        "$\\frac{{}}{2}$",
        "$2\\cdot{}$", "$\\times {}$", "{}$5$", "{}{5}", "\\textbf{{}}5", "{}\\permil", "{}\\textsuperscript{5}",
        "{} percent",
        "{}\\footnotesize{}5", "\\verb|9|{}", "9\\iffalse x\\fi{}", "{}e9", "9\\textbf{{}}", "$<{}$", "\\x{}",
        "{}{}" + "{}" * 600 + "5",
        "\\SI{{}}{\\percent}", "93\\% {}", "{}\\pm 0.5", "9\\cite{x}{}",
    ],
)  # fmt: skip
def test_what_stands_around_a_macro_belongs_to_the_number(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"paper\.tex:\d+: .*a number that stands by itself"):
        claims(tmp_path, "of " + text.replace("{}", TEX, 1), "tex")


@pytest.mark.parametrize(
    "text",
    [
        "of {} and", "({}).", "${}$,", "\\textbf{{}}.", "a & {} & 5 \\\\", "x\\\\\n{}\\\\ 5", "$x = {}$", "$x={}$",
        "{}\\cite{b}",
        "{} \\cite{b1} of", "see \\ref{t1}, {}.", "{{}}", "\\item {}", "5\n\n{}\n\n5",
        "\\begin{tabular}{cc}\n{}\n\\end{tabular}",
        "{}\\footnote{5}", "\\footnote{{} of}", "{}{}", "of~{}~and", "{} % 5", "{}\\\\",
        "\\multicolumn{2}{c}{{}} & 5", "\\(x = {}\\)",
        "\\emph{of {}}", "\\hline\n{}\\quad of", "{\\bf {}}", "$\\approx{}$",
    ],
)  # fmt: skip
def test_what_stands_apart_from_a_macro_is_no_part_of_it(tmp_path: Path, text: str) -> None:
    assert claims(tmp_path, text.replace("{}", TEX, 1) if text != "{{}}" else f"{{{TEX}}}", "tex") == ["0.93"]
